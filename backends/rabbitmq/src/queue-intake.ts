/**
 * One queue that a subscription takes from: its channel, and for a partition the notes beside it.
 *
 * Q1. Deliveries are handed on in the order in which they came. Those that another has had before
 *     wait until the notes on them are read, and what comes behind waits for them.
 * Q2. A word for several covers nothing that is still open.
 * Q3. A partition is left with all that is not acknowledged at once, by the end of its channel:
 *     until then it has no other consumer.
 */

import type { Channel, ChannelModel, ConsumeMessage } from "amqplib";
import { AckRow } from "./ack-row.ts";
import { AttemptNotes } from "./attempt-notes.ts";
import type { ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import type { Group } from "./registry.ts";

/** Messages of a partition that its member has at once, so that one key holds up no other. */
const aheadMin = 128;

/** A queue to take from. */
export interface Source {
  readonly queue: string;
  readonly prefetch: number;
  /** Of an ordered group: which partition it is, and where the notes on it are. */
  readonly partition?: { readonly index: number; readonly notes: string };
  /** Nobody else may take from it meanwhile. */
  readonly isOwn?: boolean;
}

/** The queues of a group, for a member of it. */
export function sourcesOf(
  names: Names,
  { name, partitions }: Group,
  { ordered, concurrency }: ResolvedSubscribeSpec,
): readonly Source[] {
  const main = { queue: names.group(name), prefetch: concurrency };
  const parts = Array.from({ length: partitions }, (_, index): Source => {
    const queue = names.partition(name, index);
    if (!ordered) return { queue, prefetch: concurrency }; // what an order left behind
    const prefetch = Math.max(aheadMin, concurrency * 2);
    return { queue, prefetch, partition: { index, notes: names.notes(name, index) } };
  });
  return [main, ...parts];
}

export interface QueueIntakePorts {
  readonly outbound: Outbound;
  readonly tag: string;
  readonly onMessage: (delivered: ConsumeMessage, intake: QueueIntake) => void;
  readonly onClosed: (intake: QueueIntake) => void;
  readonly onError: (error: unknown) => void;
}

export class QueueIntake {
  readonly source: Source;
  readonly channel: Channel;
  readonly acks: AckRow;
  readonly notes: AttemptNotes | undefined;
  readonly #ports: QueueIntakePorts;
  #waiting: ConsumeMessage[] | undefined = undefined;
  #areNotesRead = false;
  /** Its channel is gone: what came on it is the server's again, also what waits here. */
  #isEnded = false;
  /** Ids of what another has had before, until the first that is new; then nobody needs them. */
  #cameBack: Set<string> | undefined = new Set();
  #closing: Promise<void> | undefined = undefined;
  /** It is given up: what it holds goes back, then it is opened again behind the others. */
  isYielding = false;

  /** Opens it; deliveries may come before this resolves. @throws what the server refuses */
  static async open(
    connection: ChannelModel,
    source: Source,
    ports: QueueIntakePorts,
  ): Promise<QueueIntake> {
    const channel = await connection.createChannel();
    channel.on("error", ports.onError);
    const intake = new QueueIntake(channel, source, ports);
    channel.on("close", () => {
      intake.#isEnded = true;
      ports.onClosed(intake);
    });
    await channel.prefetch(source.prefetch);
    await channel.consume(
      source.queue,
      (delivered) => {
        if (delivered === null) intake.close().catch(ignore);
        else intake.#take(delivered);
      },
      { consumerTag: ports.tag, exclusive: source.isOwn === true },
    );
    return intake;
  }

  private constructor(channel: Channel, source: Source, ports: QueueIntakePorts) {
    this.channel = channel;
    this.source = source;
    this.#ports = ports;
    const { partition } = source;
    this.acks = new AckRow(channel);
    const { outbound } = ports;
    this.notes =
      partition && new AttemptNotes({ channel, queue: partition.notes, outbound, acks: this.acks });
  }

  /** Nothing new is delivered; not waited for. Not of a partition: Q3. */
  async stop(): Promise<void> {
    if (this.source.partition !== undefined) return;
    try {
      await this.channel.cancel(this.#ports.tag);
    } catch {
      // The channel has ended: nothing comes on it any more.
    }
  }

  /**
   * What is not acknowledged goes back to its queue, in its order. A quorum queue can lose the
   * acknowledgements just before the end of a channel: a word to the queue and its answer go first.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.notes?.written();
    this.acks.flush();
    if (this.source.partition === undefined) await this.stop();
    else await this.#askQueue();
    this.acks.flush();
    try {
      await this.channel.close();
    } catch {
      // It has ended.
    }
  }

  /**
   * Whose consumer is cancelled still has what it was given, but the next one gets what is behind
   * that at once (Q3). So another consumer comes, behind all others, and goes again.
   */
  async #askQueue(): Promise<void> {
    const consumerTag = `${this.#ports.tag}.end`.slice(-255);
    try {
      await this.channel.consume(this.source.queue, ignore, { consumerTag });
      await this.channel.cancel(consumerTag);
    } catch {
      // The channel has ended.
    }
  }

  #take(delivered: ConsumeMessage): void {
    this.acks.delivered(delivered);
    if (this.#waiting !== undefined) {
      this.#waiting.push(delivered);
      return;
    }
    const { notes } = this;
    if (notes === undefined || this.#areNotesRead || !delivered.fields.redelivered) {
      this.#pass(delivered);
      return;
    }
    this.#waiting = [delivered];
    void notes.load().then(() => {
      this.#areNotesRead = true;
      const waiting = this.#waiting ?? [];
      this.#waiting = undefined;
      if (this.#isEnded) return;
      for (const each of waiting) this.#pass(each);
    });
  }

  /** What came back stands before what is new, so then it is known which notes are of use (N3). */
  #pass(delivered: ConsumeMessage): void {
    const { notes } = this;
    if (notes !== undefined && this.#cameBack !== undefined) {
      const id: unknown = delivered.properties.messageId;
      if (delivered.fields.redelivered) this.#cameBack.add(String(id));
      else if (notes.isRead) {
        notes.keepOnly(this.#cameBack);
        this.#cameBack = undefined;
      }
    }
    this.#ports.onMessage(delivered, this);
  }
}

function ignore(): void {}
