/**
 * Notes on the attempts at messages of one partition. An ordered message waits for its next try in
 * its place, unacknowledged, so its attempts cannot travel with it: they stand in a queue beside,
 * one small note for each failure, and whoever takes the partition over reads them first.
 *
 * What it owns: a consumer of that queue, on the channel of the partition, from the moment in which
 * it is needed.
 *
 * N1. A note is acknowledged when its message is through; until then the server keeps it.
 * N2. Notes are no promise: one that is lost makes an attempt be counted anew. Order does not
 *     depend on them.
 * N3. A note whose message left by another way (purged by hand, expired) goes when the partition
 *     has shown all that came back: then its message will not.
 */

import type { Channel, ConsumeMessage } from "amqplib";
import type { AckRow } from "./ack-row.ts";
import type { Outbound } from "./outbound.ts";

export interface AttemptNote {
  readonly attempt: number;
  readonly failures: number;
  /** Wall clock of the next try. */
  readonly dueMs: number;
}

export interface AttemptNotesInit {
  /** That of the partition. */
  readonly channel: Channel;
  readonly queue: string;
  readonly outbound: Outbound;
  readonly acks: AckRow;
}

interface KnownNote {
  note: AttemptNote | undefined;
  readonly delivered: ConsumeMessage[];
  /** This process has written one. */
  isOurs: boolean;
  /** Written by this process and not delivered back to it. */
  underWay: number;
  isThrough: boolean;
}

export class AttemptNotes {
  readonly #channel: Channel;
  readonly #queue: string;
  readonly #outbound: Outbound;
  readonly #acks: AckRow;
  readonly #notes = new Map<string, KnownNote>();
  #opening: Promise<void> | undefined = undefined;
  #received = 0;
  #isRead = false;
  #onReceived: (() => void) | undefined = undefined;
  #unconfirmed = 0;
  #onWritten: (() => void) | undefined = undefined;

  constructor({ channel, queue, outbound, acks }: AttemptNotesInit) {
    this.#channel = channel;
    this.#queue = queue;
    this.#outbound = outbound;
    this.#acks = acks;
  }

  /** Resolves when those that were there are read; the server may refuse, then there are none. */
  load(): Promise<void> {
    this.#opening ??= this.#open();
    return this.#opening;
  }

  /** Those that were there are known. */
  get isRead(): boolean {
    return this.#isRead;
  }

  find(id: string): AttemptNote | undefined {
    return this.#notes.get(id)?.note;
  }

  write(id: string, note: AttemptNote): void {
    const known = this.#entry(id);
    known.isOurs = true;
    known.note = note;
    known.underWay += 1;
    this.#unconfirmed += 1;
    void this.load().then(() => {
      this.#outbound.send({
        exchange: "",
        routingKey: this.#queue,
        content: Buffer.from(JSON.stringify(note), "utf8"),
        properties: { messageId: id, deliveryMode: 2, contentType: "application/json" },
        deadlineMs: Infinity,
        onEnd: () => this.#ended(), // confirmed or not: N2
      });
    });
  }

  /** Resolves when the server has what was written, or will not have it. */
  async written(): Promise<void> {
    if (this.#unconfirmed === 0) return;
    const { promise, resolve } = Promise.withResolvers<undefined>();
    this.#onWritten = () => resolve(undefined);
    await promise;
  }

  /** Its message is through. */
  settle(id: string): void {
    const known = this.#notes.get(id);
    if (known === undefined) return;
    known.isThrough = true;
    this.#clear(id, known);
  }

  /** All that came back has come: notes of others on anything else are on what is gone (N3). */
  keepOnly(cameBack: ReadonlySet<string>): void {
    for (const [id, known] of this.#notes) {
      if (!known.isOurs && !cameBack.has(id)) this.#clear(id, known);
    }
  }

  #ended(): void {
    this.#unconfirmed -= 1;
    if (this.#unconfirmed === 0) this.#onWritten?.();
  }

  async #open(): Promise<void> {
    try {
      const { messageCount } = await this.#channel.assertQueue(this.#queue, { durable: true });
      const { promise, resolve } = Promise.withResolvers<undefined>();
      this.#onReceived = () => {
        if (this.#received >= messageCount) resolve(undefined);
      };
      this.#channel.once("close", () => resolve(undefined));
      await this.#channel.prefetch(0);
      await this.#channel.consume(this.#queue, (delivered) => this.#arrived(delivered));
      this.#onReceived();
      await promise;
      this.#isRead = true;
    } catch {
      // The channel ended: whoever takes the partition next reads them.
    }
  }

  #arrived(delivered: ConsumeMessage | null): void {
    if (delivered === null) return;
    this.#acks.delivered(delivered);
    this.#received += 1;
    const id: unknown = delivered.properties.messageId;
    const note = read(delivered.content);
    if (typeof id !== "string" || note === undefined) this.#acks.acknowledge(delivered);
    else this.#keep(id, note, delivered);
    this.#onReceived?.();
  }

  #keep(id: string, note: AttemptNote, delivered: ConsumeMessage): void {
    const known = this.#entry(id);
    if (known.underWay > 0) known.underWay -= 1;
    // The newest says everything; those before it go.
    if (known.note === undefined || note.attempt >= known.note.attempt) {
      known.note = note;
      known.delivered.unshift(delivered);
    } else known.delivered.push(delivered);
    for (const older of known.delivered.splice(1)) this.#acks.acknowledge(older);
    if (known.isThrough) this.#clear(id, known);
  }

  #entry(id: string): KnownNote {
    const known = this.#notes.get(id) ?? {
      note: undefined,
      delivered: [],
      isOurs: false,
      underWay: 0,
      isThrough: false,
    };
    this.#notes.set(id, known);
    return known;
  }

  #clear(id: string, known: KnownNote): void {
    for (const delivered of known.delivered.splice(0)) this.#acks.acknowledge(delivered);
    if (known.underWay === 0) this.#notes.delete(id);
  }
}

function read(content: Buffer): AttemptNote | undefined {
  try {
    const value: unknown = JSON.parse(content.toString("utf8"));
    if (typeof value !== "object" || value === null) return undefined;
    if (!("attempt" in value && "failures" in value && "dueMs" in value)) return undefined;
    const { attempt, failures, dueMs } = value;
    if (typeof attempt !== "number" || typeof failures !== "number") return undefined;
    return typeof dueMs === "number" ? { attempt, failures, dueMs } : undefined;
  } catch {
    return undefined; // somebody else's: it is taken away
  }
}
