/**
 * Connections to the other nodes: one for each, opened when it is needed first.
 *
 * What it owns: the listening socket, the links, dials under way.
 * What may interrupt it: any of them, at any time; `close`.
 *
 * P1. A link is used in both directions, whoever opened it.
 * P2. Links are looked after: one that is silent, or takes nothing, is hung up on.
 * P3. Whoever has not proved itself is bounded in number, in bytes and in time.
 * P4. Closing is bounded: who takes nothing of what is left is hung up on (L3), who is not known
 *     yet at once.
 */

import { connect, createServer, isIP } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import {
  connect as connectTls,
  createServer as createTlsServer,
  Server as TlsServer,
} from "node:tls";
import type { ConnectionOptions } from "node:tls";
import type { BanyanError, CancelTimer, Log } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import type { CallRuntime } from "@banyan/kernel/internal";
import { meshErrors } from "../errors.ts";
import type { InstanceRecord } from "../instance-record.ts";
import type { Endpoint } from "../mesh.ts";
import { openLink } from "./open-link.ts";
import { Strangers } from "./strangers.ts";
import type { WireLink } from "./wire-link.ts";

/** Where a node listens. */
export interface PeerAddress {
  readonly node: string;
  readonly host: string;
  readonly port: number;
}

/** Texts of PEM files. */
export interface PeerTls {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
  /** Name in the other node's certificate. Default: its host. */
  readonly serverName?: string | undefined;
  /**
   * False: only the node that is called shows a certificate, and the caller proves itself by the
   * secret alone. Default true: both do.
   */
  readonly mutual?: boolean | undefined;
}

export interface PeersOptions {
  readonly cluster: string;
  readonly node: string;
  readonly secret: string | undefined;
  /** Taken from others as well, never used for an own proof. */
  readonly acceptedSecret?: string | undefined;
  /** Who is called shows a certificate of this authority; who calls too, where it is `mutual`. */
  readonly tls: PeerTls | undefined;
  readonly runtime: CallRuntime;
  readonly log: Log;
  readonly callsMax: number;
  readonly messageBytesMax: number;
  readonly outgoingBytesMax: number;
  /** Milliseconds between pings, to whoever was silent for as long. */
  readonly heartbeatMs: number;
  readonly resolve: (operation: string, kind: "unary" | "stream") => Endpoint;
  /** A connection to a node is there, whoever opened it. */
  readonly onOpened?: ((node: string) => void) | undefined;
  /** A node says what it is; `undefined`: it runs nothing for others yet. */
  readonly onAbout?: ((node: string, record: InstanceRecord | undefined) => void) | undefined;
  /** A node's connection has ended, or it says that it leaves. */
  readonly onGone: (node: string, why: "closed" | "leaving") => void;
}

/** A peer that is silent for so many heartbeats is gone; it says something in each second one. */
const missedMax = 3;
/**
 * One that takes nothing for so many. More than of silence: it may live behind a slow network, and
 * a kernel takes more only when a good part of what it has is gone.
 */
const stalledMax = 10;
const dialMs = 5000;

export class Peers {
  readonly #options: PeersOptions;
  /** The one that is used, by node. */
  readonly #links = new Map<string, WireLink>();
  /** All there are: two nodes that call each other at once have two. */
  readonly #all = new Set<WireLink>();
  readonly #dials = new Map<string, Promise<WireLink>>();
  #server: Server | undefined = undefined;
  #tls: PeerTls | undefined;
  readonly #strangers = new Strangers();
  /** Not links yet, whoever opened them. */
  readonly #opening = new Set<Socket>();
  #cancelTimer: CancelTimer | undefined = undefined;
  #isLeaving = false;
  #isClosed = false;

  constructor(options: PeersOptions) {
    this.#options = options;
    this.#tls = options.tls;
    this.#lookLater();
  }

  get links(): Iterable<WireLink> {
    return this.#all;
  }

  /** Answers the port. @throws MESH_LISTEN_FAILED */
  async listen(host: string, port: number): Promise<number> {
    const tls = this.#tls;
    const server: Server = tls === undefined ? createServer() : listenerOf(tls);
    // P3, also before there is a TLS connection to speak of.
    server.on("connection", (socket: Socket) => this.#strangers.add(socket));
    // Also one whose time is over: Node tells, and leaves it open.
    server.on("tlsClientError", (_error: Error, socket: Socket) => socket.destroy());
    const ready = tls === undefined ? "connection" : "secureConnection";
    server.on(ready, (socket: Socket) => this.#accept(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", (cause) => {
        reject(
          meshErrors.MESH_LISTEN_FAILED(
            `The mesh cannot listen on ${host}:${port}: ${cause.message}.`,
            { cause },
          ),
        );
      });
      server.listen(port, host, resolve);
    });
    server.on("error", (error) => this.#options.log.warn("the mesh's listener failed", { error }));
    // It listens on TCP, so its address is one.
    return (server.address() as AddressInfo).port;
  }

  /** For connections from now on; those that are there stay. Nothing where there was no TLS. */
  renewTls(tls: PeerTls): void {
    if (!(this.#server instanceof TlsServer)) return;
    const { mutual } = this.#tls ?? {};
    this.#tls = { ...tls, mutual };
    this.#server.setSecureContext(contextOf(tls));
  }

  /** The link to a node, where there is one that can be used. */
  linkTo(node: string): WireLink | undefined {
    const link = this.#links.get(node);
    return link?.takesCalls === true ? link : undefined;
  }

  /** Opens one. @throws MESH_PEER_REFUSED, MESH_PEER_UNREACHABLE, CLOSED */
  dial(address: PeerAddress): Promise<WireLink> {
    const { node } = address;
    const known = this.linkTo(node);
    if (known !== undefined) return Promise.resolve(known);
    const running = this.#dials.get(node);
    if (running !== undefined) return running;
    const dialling = this.#dial(address);
    this.#dials.set(node, dialling);
    const forget = (): void => void this.#dials.delete(node);
    dialling.then(forget, forget);
    return dialling;
  }

  /**
   * Connects to whoever is at an address, and answers its id; to this node itself no connection
   * stays. @throws MESH_PEER_REFUSED, MESH_PEER_UNREACHABLE, CLOSED
   */
  async meet({ host, port }: Omit<PeerAddress, "node">): Promise<string> {
    const link = await this.#dial({ node: undefined, host, port });
    if (link.peer === this.#options.node) link.close();
    return link.peer;
  }

  /** Tells one node, or all, what this one is. @throws MESH_MESSAGE_TOO_LONG */
  tell(record: InstanceRecord | undefined, to?: string): void {
    if (to === undefined) for (const link of this.#links.values()) link.about(record);
    else this.#links.get(to)?.about(record);
  }

  /** Tells everybody that this node takes no new calls; resolves when they have read it. */
  async leave(reason: string): Promise<void> {
    this.#isLeaving = true;
    await Promise.all(Array.from(this.#all, (link) => link.goodbye(reason)));
  }

  /** Ends all connections (P4). */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#strangers.close();
    for (const socket of this.#opening) socket.destroy();
    for (const link of this.#all) link.close();
    this.#links.clear();
    const server = this.#server;
    if (server !== undefined) await new Promise<void>((done) => server.close(() => done()));
  }

  async #dial({
    node,
    host,
    port,
  }: Omit<PeerAddress, "node"> & { readonly node: string | undefined }): Promise<WireLink> {
    if (this.#isClosed) throw closed();
    const tls = this.#tls;
    const socket =
      tls === undefined
        ? connect({ host, port, timeout: dialMs })
        : connectTls({ host, port, timeout: dialMs, ...shownTo(host, tls) });
    socket.once("timeout", () => socket.destroy(new Error(`it took more than ${dialMs} ms`)));
    try {
      const link = await this.#open(socket, "caller", node);
      socket.setTimeout(0);
      return link;
    } catch (error) {
      if (this.#isClosed) throw closed();
      throw error;
    }
  }

  #accept(socket: Socket): void {
    socket.on("error", () => undefined); // told by the handshake
    if (this.#isClosed) {
      socket.destroy();
      return;
    }
    this.#open(socket, "callee", undefined).then(
      () => this.#strangers.isKnown(socket),
      (error: unknown) => {
        if (this.#isClosed) return;
        const from = `${socket.remoteAddress ?? "?"}`;
        this.#options.log.warn("whoever connected to the mesh was refused", { from, error });
      },
    );
  }

  async #open(socket: Socket, role: "caller" | "callee", expected: string | undefined) {
    const { cluster, node, callsMax, messageBytesMax } = this.#options;
    this.#opening.add(socket);
    const link = await openLink(socket, role, {
      ...this.#options,
      identity: { cluster, node, callsMax, messageBytesMax },
      expected,
      onClose: (closed, reason) => this.#closed(closed, reason),
      onAbout: ({ peer }, record) => this.#options.onAbout?.(peer, record),
      onGoodbye: ({ peer }) => this.#options.onGone(peer, "leaving"),
    }).finally(() => this.#opening.delete(socket));
    if (this.#isClosed) {
      link.close();
      throw closed();
    }
    // Broken by the very bytes behind its proof.
    if (link.isClosed) throw meshErrors.MESH_PEER_UNREACHABLE("It hung up at once.");
    this.#all.add(link);
    // Both may have called at once: either will do, and both stay open.
    if (this.linkTo(link.peer) === undefined) this.#links.set(link.peer, link);
    this.#options.onOpened?.(link.peer);
    if (this.#isLeaving) void link.goodbye("it is leaving");
    return link;
  }

  #closed(link: WireLink, reason: Error | undefined): void {
    this.#all.delete(link);
    if (this.#links.get(link.peer) !== link || this.#isClosed) return;
    this.#links.delete(link.peer);
    const [other] = [...this.#all].filter(({ peer }) => peer === link.peer);
    if (other !== undefined) {
      this.#links.set(link.peer, other);
      return;
    }
    const { log, onGone } = this.#options;
    log.info("the connection to a node has ended", { peer: link.peer, reason: reason?.message });
    onGone(link.peer, "closed");
  }

  #lookLater(): void {
    const { runtime, heartbeatMs } = this.#options;
    this.#cancelTimer = runtime.clock.setTimer(heartbeatMs, () => {
      this.#look();
      this.#lookLater();
    });
  }

  #look(): void {
    const { runtime, heartbeatMs } = this.#options;
    const nowMs = runtime.clock.monotonicMs();
    for (const link of this.#all) {
      link.dropLate(nowMs);
      const silentMs = link.silentMs(nowMs);
      if (silentMs > heartbeatMs * missedMax) link.close(new Error("it is silent"));
      else if (link.stalledMs(nowMs) > heartbeatMs * stalledMax) {
        link.close(new Error("it takes nothing"));
      } else if (!link.hasSpoken() || silentMs >= heartbeatMs * 0.9) {
        // Also where much comes from there: what this side says may be all that gets through.
        link.ping();
      }
    }
  }
}

function closed(): BanyanError {
  return kernelErrors.CLOSED("The mesh is closed.");
}

function contextOf({ cert, key, ca }: PeerTls): Pick<PeerTls, "cert" | "key" | "ca"> {
  return { cert, key, ca };
}

function listenerOf(tls: PeerTls): Server {
  const { mutual = true } = tls;
  return createTlsServer({
    ...contextOf(tls),
    requestCert: mutual,
    rejectUnauthorized: mutual,
    handshakeTimeout: dialMs,
  });
}

/** What the one that is called is held against, and what it is shown. */
function shownTo(host: string, tls: PeerTls): ConnectionOptions {
  const { mutual = true, serverName, ca } = tls;
  // An address is no name to ask for; it is looked for in the certificate all the same.
  const servername = serverName ?? (isIP(host) === 0 ? host : undefined);
  return {
    ...(mutual ? contextOf(tls) : { ca }),
    ...(servername === undefined ? {} : { servername }),
  };
}
