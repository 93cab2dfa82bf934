/**
 * From a socket to a link: the handshake of decision 0072, on either side.
 *
 * What it owns: the socket until the handshake is over.
 * What may interrupt it: the socket, a peer that says something else, its patience.
 *
 * H1. Nothing is served before the other side has proved who it is.
 * H2. A socket that does not become a link is destroyed.
 */

import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import { meshErrors } from "../errors.ts";
import type { InstanceRecord } from "../instance-record.ts";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { introduce, isProof, parseIntroduction, proofOf } from "./handshake.ts";
import type { Identity, Introduction, Role } from "./handshake.ts";
import { FrameType, frameBytesMax, wireVersion } from "./protocol.ts";
import { WireLink } from "./wire-link.ts";
import type { WireLinkOptions } from "./wire-link.ts";

export interface OpenLinkOptions extends Omit<
  WireLinkOptions,
  "socket" | "writer" | "peer" | "onClose" | "onGoodbye" | "onAbout"
> {
  readonly identity: Identity;
  /** `undefined`: certificates have proved who is there. */
  readonly secret: string | undefined;
  /** Taken from others as well, never used for an own proof. */
  readonly acceptedSecret?: string | undefined;
  /** The node that is called; whoever else answers is refused. */
  readonly expected?: string | undefined;
  readonly onClose: (link: WireLink, reason: Error | undefined) => void;
  readonly onGoodbye: (link: WireLink) => void;
  readonly onAbout: (link: WireLink, record: InstanceRecord | undefined) => void;
}

const handshakeMs = 5000;
const handshakeBytesMax = 4096;

/** @throws MESH_PEER_REFUSED, MESH_PEER_UNREACHABLE */
export function openLink(socket: Socket, role: Role, options: OpenLinkOptions): Promise<WireLink> {
  return new Promise((resolve, reject) => {
    const opening = new OpeningLink(socket, role, { options, resolve, reject });
    opening.start();
  });
}

interface Opening {
  readonly options: OpenLinkOptions;
  readonly resolve: (link: WireLink) => void;
  readonly reject: (error: BanyanError) => void;
}

class OpeningLink {
  readonly #socket: Socket;
  readonly #role: Role;
  readonly #opening: Opening;
  readonly #writer: FrameWriter;
  readonly #reader: FrameReader;
  readonly #own: Introduction;
  #peer: Introduction | undefined = undefined;
  #link: WireLink | undefined = undefined;
  #isOver = false;
  #cancelTimer: (() => void) | undefined = undefined;

  constructor(socket: Socket, role: Role, opening: Opening) {
    this.#socket = socket;
    this.#role = role;
    this.#opening = opening;
    this.#own = introduce(opening.options.identity, opening.options.runtime.random);
    this.#writer = new FrameWriter(socket);
    this.#reader = new FrameReader((frame) => {
      const { type, bytes, start, end } = frame;
      if (this.#link === undefined) this.#take(type, bytes.toString("utf8", start, end));
      else this.#link.take(frame);
    }, handshakeBytesMax);
  }

  start(): void {
    const { clock } = this.#opening.options.runtime;
    const socket = this.#socket;
    this.#cancelTimer = clock.setTimer(handshakeMs, () => {
      this.#end(unreachable(`it did not introduce itself within ${handshakeMs} ms`));
    });
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#push(chunk));
    socket.on("error", (error) => this.#end(error));
    socket.on("close", () => this.#end(undefined));
    if (this.#role === "caller") this.#writer.json(FrameType.Hello, 0, this.#own);
  }

  #push(chunk: Buffer): void {
    if (this.#isOver) return;
    try {
      this.#link?.heard();
      this.#reader.push(chunk);
    } catch (error) {
      this.#end(brokenBy(error));
    }
  }

  /** A frame of the handshake. */
  #take(type: number, text: string): void {
    const said: unknown = JSON.parse(text);
    const { secret } = this.#opening.options;
    if (type === FrameType.Hello && this.#peer === undefined) this.#meet(said);
    else if (type === FrameType.Proof && this.#role === "callee" && this.#peer !== undefined) {
      if (secret !== undefined && !this.#isProof(said, "caller")) throw wrongSecret();
      const proof = secret === undefined ? "" : this.#proof(secret, "callee");
      this.#writer.json(FrameType.Welcome, 0, { proof });
      this.#welcome(this.#peer);
    } else if (type === FrameType.Welcome && this.#role === "caller" && this.#peer !== undefined) {
      if (secret !== undefined && !this.#isProof(said, "callee")) throw wrongSecret();
      this.#welcome(this.#peer);
    } else throw new RangeError(`a frame of type ${type} in the handshake`);
  }

  #meet(said: unknown): void {
    const { options } = this.#opening;
    const { secret, expected, identity } = options;
    const peer = parseIntroduction(said);
    if (peer === undefined) throw new RangeError("no introduction");
    if (peer.cluster !== identity.cluster) {
      throw refused(`it belongs to the cluster "${peer.cluster}", not to "${identity.cluster}"`);
    }
    if (!peer.versions.includes(wireVersion)) {
      throw refused(`it speaks version ${peer.versions.join(", ")}, not ${wireVersion}`);
    }
    if (expected !== undefined && peer.node !== expected) {
      // Its record is older than who listens there now: nobody was refused.
      throw unreachable(`node ${peer.node} answers where ${expected} was called`);
    }
    this.#peer = peer;
    if (this.#role === "callee") this.#writer.json(FrameType.Hello, 0, this.#own);
    else {
      const proof = secret === undefined ? "" : this.#proof(secret, "caller");
      this.#writer.json(FrameType.Proof, 0, { proof });
    }
  }

  #welcome(peer: Introduction): void {
    const { options, resolve } = this.#opening;
    const { onClose, onGoodbye, onAbout } = options;
    const link: WireLink = new WireLink({
      ...options,
      messageBytesMax: Math.min(options.messageBytesMax, peer.messageBytesMax),
      socket: this.#socket,
      writer: this.#writer,
      peer: peer.node,
      onClose: (reason) => onClose(link, reason),
      onGoodbye: () => onGoodbye(link),
      onAbout: (record) => onAbout(link, record),
    });
    this.#link = link;
    this.#reader.bytesMax = frameBytesMax;
    this.#cancelTimer?.();
    resolve(link);
  }

  #isProof(said: unknown, of: Role): boolean {
    const { secret, acceptedSecret } = this.#opening.options;
    if (typeof said !== "object" || said === null || !("proof" in said)) return false;
    const { proof } = said;
    return [secret, acceptedSecret].some(
      (each) => each !== undefined && isProof(proof, this.#proof(each, of)),
    );
  }

  #proof(secret: string, of: Role): string {
    const peer = this.#peer ?? this.#own;
    const [caller, callee] = this.#role === "caller" ? [this.#own, peer] : [peer, this.#own];
    return proofOf(secret, of, { caller, callee });
  }

  #end(reason: Error | undefined): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#cancelTimer?.();
    this.#socket.destroy();
    // Who is refused is not told why, so as to learn nothing: it can only be guessed.
    // A certificate is the proof where there is one, and comes before all else.
    const hasProved = this.#peer !== undefined || this.#socket instanceof TLSSocket;
    if (this.#link === undefined) {
      const isGuess = isHangUp(reason) && this.#role === "caller" && hasProved;
      this.#opening.reject(isGuess ? hungUpOn() : failureOf(reason));
    } else this.#link.close(reason ?? new Error("it hung up"));
  }
}

/** It was connected, and is no more; how a socket tells is a matter of moments. */
function isHangUp(reason: Error | undefined): boolean {
  if (reason === undefined) return true;
  return "code" in reason && (reason.code === "ECONNRESET" || reason.code === "EPIPE");
}

function failureOf(reason: Error | undefined): BanyanError {
  if (reason === undefined) return unreachable("it hung up");
  if (isBanyanError(reason)) return reason;
  return isOfCertificates(reason) ? distrusted(reason) : unreachable(reason.message, reason);
}

function hungUpOn(): BanyanError {
  return meshErrors.MESH_PEER_REFUSED(
    "The other node hung up on the proof of this one; most likely their secrets differ (mesh.secret), " +
      "or it does not trust the certificate (mesh.tls).",
  );
}

/** What Node says where one side does not trust the other's certificate. */
function isOfCertificates(error: Error): boolean {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  return /^ERR_(?:SSL|TLS)_|CERT|^UNABLE_TO_(?:GET|VERIFY)/.test(code);
}

function distrusted(cause: Error): BanyanError {
  return meshErrors.MESH_PEER_REFUSED(
    `One node does not trust the certificate of the other: ${cause.message}. All of them must be of ` +
      "the authority in mesh.tls.caFile, and name the host that they are called by.",
    { cause },
  );
}

function brokenBy(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

function wrongSecret(): BanyanError {
  return refused("it does not know the cluster's secret; set mesh.secret to the same on all nodes");
}

function refused(why: string): BanyanError {
  return meshErrors.MESH_PEER_REFUSED(`The other node was refused: ${why}.`);
}

function unreachable(why: string, cause?: unknown): BanyanError {
  return meshErrors.MESH_PEER_UNREACHABLE(`There is no connection to the node: ${why}.`, { cause });
}
