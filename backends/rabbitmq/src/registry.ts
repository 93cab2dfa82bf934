/**
 * Which groups there are: a log that every node reads from its beginning (decision 0058).
 *
 * What it owns: a consumer of the stream, and what the entries so far add up to.
 * What may interrupt it: the connection; it goes on reading where it was.
 *
 * R1. Entries are applied in the order of the log, so all nodes come to the same groups.
 * R2. Of two that open a group at once the first in the log wins; the other sees that when it reads
 *     its own entry back.
 */

import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { createIdSource } from "@banyan/kernel";
import type { IdSource, Log } from "@banyan/kernel";
import { messagingErrors } from "@banyan/messaging";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import type { ResolvedRabbitmqOptions } from "./options.ts";

/** A group as its log has it. */
export interface Group {
  readonly name: string;
  /** Of this life: another one of the same name has another. */
  readonly life: string;
  readonly topic: string;
  readonly ordered: boolean;
  /** 0: it was never ordered. */
  readonly partitions: number;
  readonly bufferMax: number;
  readonly retentionMs: number | undefined;
}

export type GroupSpec = Omit<Group, "life" | "partitions">;

type Entry =
  | ({
      readonly kind: "group";
      readonly id: string;
      /** Left out: it is new, and the entry's id is its life. */
      readonly life?: string;
      readonly partitions: number;
    } & GroupSpec)
  | { readonly kind: "removed"; readonly id: string; readonly name: string; readonly life: string }
  /** A subscription that has dead letters and is no group. */
  | { readonly kind: "letters"; readonly id: string; readonly name: string }
  /** The first entry of a log: there is something to read up to. */
  | { readonly kind: "begin"; readonly id: string };

export interface RegistryPorts {
  readonly options: ResolvedRabbitmqOptions;
  readonly names: Names;
  readonly outbound: Outbound;
  readonly changed: (name: string, group: Group | undefined) => void;
}

/** Waits of an entry that was appended and is not read back. */
const readBackMaxMs = 30_000;

/** How long the end of a log is waited for before it passes for empty. */
const emptyAfterMs = 150;

/** In this time the rest of a chunk is delivered after its first entry. */
const chunkMs = 20;

export class Registry {
  readonly #ports: RegistryPorts;
  readonly #log: Log;
  readonly #ids: IdSource;
  readonly #groups = new Map<string, Group>();
  readonly #lettered = new Set<string>();
  /** Entry → who waits for it to be read. */
  readonly #awaited = new Map<string, () => void>();
  #connection: ChannelModel | undefined = undefined;
  #offset = -1;
  #wasDeleted = false;
  /** Up to there it was written when this node began to read. */
  #waitingFor = Infinity;
  readonly #ready = Promise.withResolvers<undefined>();

  constructor(ports: RegistryPorts) {
    this.#ports = ports;
    const { clock, random, log } = ports.options;
    this.#log = log;
    this.#ids = createIdSource(clock, random);
    this.#ready.promise.catch(() => undefined);
  }

  get groups(): Iterable<Group> {
    return this.#groups.values();
  }

  /** Names of subscriptions that may have dead letters, those of groups that are gone included. */
  get lettered(): Iterable<string> {
    return this.#lettered;
  }

  /** Resolves when everything that was in the log is read. */
  get ready(): Promise<undefined> {
    return this.#ready.promise;
  }

  find(name: string): Group | undefined {
    return this.#groups.get(name);
  }

  /** Reads on, on a new connection. @throws what the server refuses */
  async up(connection: ChannelModel): Promise<void> {
    this.#connection = connection;
    const channel = await connection.createChannel();
    channel.on("error", (error) => this.#log.warn("the registry is read again", { error }));
    let isReading = false;
    channel.on("close", () => {
      if (isReading) this.#readAgain(connection);
    });
    const { registry } = this.#ports.names;
    await channel.assertQueue(registry, {
      durable: true,
      arguments: { "x-queue-type": "stream" },
    });
    await channel.prefetch(500);
    const last = await this.#lastOffset(connection);
    // Others may have written much into a new one already.
    const isNewLog = this.#wasDeleted || last < this.#offset;
    this.#wasDeleted = false;
    if (isNewLog) this.#offset = -1;
    const from = this.#offset === -1 ? "first" : this.#offset + 1;
    await channel.consume(registry, (message) => this.#read(channel, message), {
      arguments: { "x-stream-offset": from },
    });
    isReading = true;
    if (last <= this.#offset) this.#ready.resolve(undefined);
    else this.#readUpTo(last);
    if (isNewLog) await this.#writeAgain();
  }

  down(): void {
    this.#connection = undefined;
  }

  /**
   * Opens a group, or changes it, and resolves with what the log made of it: which may be what
   * another node wanted.
   */
  async write(spec: GroupSpec, partitions: number): Promise<Group | undefined> {
    await this.#append({ kind: "group", id: this.#ids.uuid(), partitions, ...spec });
    return this.#groups.get(spec.name);
  }

  async remove({ name, life }: Group): Promise<void> {
    await this.#append({ kind: "removed", id: this.#ids.uuid(), name, life });
  }

  /** Remembers that a subscription that is no group has dead letters. */
  async noteLetters(name: string): Promise<void> {
    if (this.#lettered.has(name)) return;
    await this.#append({ kind: "letters", id: this.#ids.uuid(), name });
  }

  /** The log was deleted by hand: what this node knows of it goes into the new one. */
  async #writeAgain(): Promise<void> {
    this.#log.error("the registry was deleted; its groups are written into a new one");
    const groups = Array.from(this.#groups.values()); // they change while they are written
    const others = Array.from(this.#lettered).filter((name) => !this.#groups.has(name));
    for (const { life, ...spec } of groups) {
      await this.#append({ kind: "group", id: this.#ids.uuid(), life, ...spec });
    }
    for (const name of others) {
      await this.#append({ kind: "letters", id: this.#ids.uuid(), name });
    }
  }

  #readUpTo(offset: number): void {
    this.#waitingFor = offset;
    if (this.#offset >= offset) this.#ready.resolve(undefined);
  }

  async #append(entry: Entry): Promise<void> {
    const { clock } = this.#ports.options;
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    const deadlineMs = clock.monotonicMs() + readBackMaxMs;
    const send = (): void => {
      this.#ports.outbound.send({
        exchange: "",
        routingKey: this.#ports.names.registry,
        content: Buffer.from(JSON.stringify(entry), "utf8"),
        properties: { messageId: entry.id, deliveryMode: 2, mandatory: true },
        deadlineMs,
        onEnd: (error, { isReturned }) => {
          if (error !== undefined) reject(error);
          // It was deleted by hand, and is made again.
          else if (isReturned && clock.monotonicMs() < deadlineMs) clock.setTimer(200, send);
        },
      });
    };
    this.#awaited.set(entry.id, () => resolve(undefined));
    send();
    const cancel = clock.setTimer(readBackMaxMs, () => reject(silentRegistry()));
    try {
      await promise;
    } finally {
      cancel();
      this.#awaited.delete(entry.id);
    }
  }

  #read(channel: Channel, message: ConsumeMessage | null): void {
    if (message === null) {
      this.#wasDeleted = true; // it is made again
      void channel.close().catch(() => undefined);
      return;
    }
    channel.ack(message);
    const offset: unknown = message.properties.headers?.["x-stream-offset"];
    if (typeof offset !== "number" || offset <= this.#offset) return;
    this.#offset = offset;
    this.#apply(message.content);
    if (offset >= this.#waitingFor) this.#ready.resolve(undefined);
  }

  #apply(content: Buffer): void {
    let entry: Entry;
    try {
      // Written by a node of this namespace; anything else is passed over.
      entry = JSON.parse(content.toString("utf8")) as Entry;
    } catch (error) {
      this.#log.error("an entry of the registry cannot be read and is passed over", { error });
      return;
    }
    switch (entry.kind) {
      case "group":
        this.#applyGroup(entry);
        break;
      case "removed":
        if (this.#groups.get(entry.name)?.life === entry.life) {
          this.#groups.delete(entry.name);
          this.#ports.changed(entry.name, undefined);
        }
        break;
      case "letters":
        this.#lettered.add(entry.name);
        break;
      case "begin":
        break;
    }
    this.#awaited.get(entry.id)?.();
  }

  #applyGroup({ kind: _, id, life, ...spec }: Extract<Entry, { kind: "group" }>): void {
    const known = this.#groups.get(spec.name);
    // Bound to its topic for its life: the first in the log wins (R2).
    if (known !== undefined && known.topic !== spec.topic) return;
    const group = { ...spec, life: known?.life ?? life ?? id };
    this.#groups.set(spec.name, group);
    this.#lettered.add(spec.name);
    this.#ports.changed(spec.name, group);
  }

  /** The offset of an entry that was the last a moment ago; writes one where there is none. */
  async #lastOffset(connection: ChannelModel): Promise<number> {
    const { clock } = this.#ports.options;
    const { registry } = this.#ports.names;
    const channel = await connection.createChannel();
    channel.on("error", () => undefined); // its end is told by what is asked of it
    await channel.prefetch(1000);
    const { promise, resolve } = Promise.withResolvers<number>();
    let last = -1;
    await channel.consume(
      registry,
      (message) => {
        const offset: unknown = message?.properties.headers?.["x-stream-offset"];
        if (typeof offset !== "number") return;
        // What is delivered is the last chunk, from its first entry on: its end is wanted.
        if (last === -1) clock.setTimer(chunkMs, () => resolve(last), { keepAlive: true });
        last = offset;
      },
      { arguments: { "x-stream-offset": "last" } },
    );
    const begin = { kind: "begin", id: this.#ids.uuid() } satisfies Entry;
    const cancel = clock.setTimer(emptyAfterMs, () => {
      this.#append(begin).catch(() => undefined); // whoever waits for `ready` has its own bound
    });
    channel.on("close", () => resolve(-1));
    try {
      return await promise;
    } finally {
      cancel();
      await channel.close().catch(() => undefined);
    }
  }

  #readAgain(connection: ChannelModel): void {
    if (this.#connection !== connection) return;
    const { clock } = this.#ports.options;
    clock.setTimer(500, () => {
      if (this.#connection !== connection) return;
      this.up(connection).catch((error: unknown) => {
        this.#log.error("the registry of groups cannot be read and is tried again", { error });
        this.#readAgain(connection);
      });
    });
  }
}

function silentRegistry(): Error {
  return messagingErrors.MESSAGING_UNAVAILABLE(
    "RabbitMQ has not given back an entry of the registry of groups in time.",
  );
}
