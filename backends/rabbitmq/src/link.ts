/**
 * One connection that is always wanted: opened in the background, opened again when it is lost.
 *
 * What it owns: the connection, and the pause before the next try.
 * What may interrupt it: the server, the network, `close`.
 *
 * L1. One try at a time, with growing pauses; whoever publishes waits for none of it.
 * L2. `onUp` is told of each connection once, and `onDown` of its end before the next `onUp`.
 */

import { isIP } from "node:net";
import { connect } from "amqplib";
import type { ChannelModel } from "amqplib";
import { backoffMs } from "@banyan/kernel";
import type { BanyanError, CancelTimer } from "@banyan/kernel";
import { connectFailure, isFinalFailure, rabbitmqErrors } from "./errors.ts";
import { guardHeaders } from "./header-guard.ts";
import { streamOf, writeTogether } from "./one-write.ts";
import type { ResolvedRabbitmqOptions, ServerPlace } from "./options.ts";

/** Pauses between tries: a restart is noticed within a second or two. */
const pauses = { initialMs: 100, maxMs: 1500 } as const;

/** How long a try may take, and a farewell. */
const handshakeMaxMs = 5000;
const farewellMaxMs = 1000;

export interface LinkListener {
  onUp(connection: ChannelModel): void;
  onDown(): void;
  /** The server takes nothing from publishers, or takes it again. */
  onBlocked?(reason: string | undefined): void;
}

export class Link {
  readonly #options: ResolvedRabbitmqOptions;
  readonly #listener: LinkListener;
  readonly #purpose: string;
  #connection: ChannelModel | undefined = undefined;
  #failure: BanyanError;
  #tries = 0;
  #wasTried = false;
  #connects = 0;
  #cancelPause: CancelTimer | undefined = undefined;
  #isClosed = false;
  /** Called at each change, for whoever waits for the first connection. */
  onChange: () => void = () => undefined;

  /** @param purpose what an operator sees beside the connection: `publish` */
  constructor(options: ResolvedRabbitmqOptions, purpose: string, listener: LinkListener) {
    this.#options = options;
    this.#purpose = purpose;
    this.#listener = listener;
    this.#failure = rabbitmqErrors.RABBITMQ_UNREACHABLE("RabbitMQ was not asked yet.");
  }

  get connection(): ChannelModel | undefined {
    return this.#connection;
  }

  /** Channels that are open on it. */
  get channels(): number {
    const inner = this.#connection?.connection;
    if (inner === undefined || !("channels" in inner) || !Array.isArray(inner.channels)) return 0;
    return inner.channels.filter(Boolean).length - 1; // the first is the connection's own
  }

  /** Connections that were opened so far. */
  get connects(): number {
    return this.#connects;
  }

  /** There was a try, so `failure` says something. */
  get wasTried(): boolean {
    return this.#wasTried;
  }

  /** Why there is none. */
  get failure(): BanyanError {
    return this.#failure;
  }

  start(): void {
    void this.#try();
  }

  /** Ends the connection; a server that does not answer is hung up on. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelPause?.();
    const connection = this.#connection;
    if (connection === undefined) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    const { clock } = this.#options;
    const cancel = clock.setTimer(
      farewellMaxMs,
      () => {
        hangUp(connection);
        resolve(undefined);
      },
      { keepAlive: true },
    );
    connection.once("close", () => resolve(undefined));
    connection.close().catch(() => resolve(undefined));
    await promise;
    cancel();
  }

  async #try(): Promise<void> {
    const { places } = this.#options;
    const place = places[this.#tries % places.length] ?? places[0];
    this.#tries += 1;
    this.#wasTried = true;
    try {
      const connection = await this.#connectTo(place);
      if (this.#isClosed) {
        // Nobody wants it any more, so nobody needs to hear how it ends.
        connection.on("error", () => undefined);
        await connection.close();
        return;
      }
      this.#opened(connection, nameOf(place));
    } catch (error) {
      if (this.#isClosed) return;
      this.#failure = connectFailure(error, nameOf(place));
      this.#pause();
      this.onChange();
    }
  }

  #connectTo({ host, port }: ServerPlace): Promise<ChannelModel> {
    const { username, password, vhost, tls, heartbeatS } = this.#options;
    const protocol = tls === undefined ? "amqp" : "amqps";
    const what = { protocol, hostname: host, port, username, password, vhost };
    return connect(
      { ...what, heartbeat: heartbeatS },
      {
        noDelay: true,
        timeout: handshakeMaxMs,
        keepAlive: true,
        clientProperties: { connection_name: `banyan ${this.#purpose} ${process.pid}` },
        ...(tls === undefined ? {} : { ...(isIP(host) === 0 ? { servername: host } : {}), ...tls }),
      },
    );
  }

  #opened(connection: ChannelModel, place: string): void {
    const { log } = this.#options;
    if (this.#tries > 1) log.info("connected to RabbitMQ", { place, purpose: this.#purpose });
    this.#tries = 0;
    this.#connects += 1;
    writeTogether(connection);
    guardHeaders(connection);
    this.#connection = connection;
    let reason: unknown = undefined;
    connection.on("error", (error) => {
      reason = error;
    });
    connection.on("blocked", (why) => this.#listener.onBlocked?.(why));
    connection.on("unblocked", () => this.#listener.onBlocked?.(undefined));
    connection.on("close", (error) => {
      if (this.#connection !== connection) return; // told before
      this.#connection = undefined;
      this.#listener.onDown();
      if (this.#isClosed) return;
      this.#failure = connectFailure(reason ?? error ?? new Error("it hung up"), place);
      log.warn("the connection to RabbitMQ is lost", { place, error: this.#failure });
      this.#pause();
      this.onChange();
    });
    this.#listener.onUp(connection);
    this.onChange();
  }

  #pause(): void {
    const { clock, random, log } = this.#options;
    const pauseMs = backoffMs(this.#tries + 1, random, pauses);
    if (this.#tries === 1 && isFinalFailure(this.#failure)) {
      log.error("RabbitMQ lets nobody in", { error: this.#failure });
    }
    this.#cancelPause = clock.setTimer(pauseMs, () => void this.#try(), { keepAlive: true });
  }
}

function nameOf({ host, port }: ServerPlace): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The client gives no way to end a connection whose server is silent. */
function hangUp(connection: ChannelModel): void {
  streamOf(connection)?.destroy(new Error("the server is silent"));
}
