/** The names and arguments of everything the bus declares (decision 0058). */

import type { Options } from "amqplib";
import type { ResolvedRabbitmqOptions } from "./options.ts";

/** Hash values of an ordering key; partitions share them out. */
const slotCount = 64;

/** Waits in milliseconds for which there is a queue, longest first. */
export const waitSteps: readonly number[] = [
  86_400_000, 3_600_000, 600_000, 60_000, 30_000, 10_000, 5000, 2000, 1000, 500, 200, 100,
];

/** What is less is waited for in the process. */
export const waitMin = 100;

/** Bytes of a routing key in AMQP; topics are ASCII. */
export const routingKeyMax = 255;

/** AMQP allows 255 bytes; ours stand before and behind it. */
export const nameLengthMax = 180;

/** Above all that a message may have: of what goes back into its place in a classic queue. */
export const firstPriority = 10;

/** More than any burst that the nodes do not keep up with; beyond it the oldest are lost. */
const overflowMax = 5_000_000;

/** So often may a queue deliver a message before the server gives it up: never. */
const deliveryLimit = 1_000_000_000;

export class Names {
  readonly #prefix: string;
  readonly #options: ResolvedRabbitmqOptions;

  constructor(options: ResolvedRabbitmqOptions) {
    this.#prefix = options.namespace;
    this.#options = options;
  }

  get events(): string {
    return `${this.#prefix}.events`;
  }

  get keyed(): string {
    return `${this.#prefix}.keyed`;
  }

  get back(): string {
    return `${this.#prefix}.return`;
  }

  /** Takes what comes back to a queue that is gone. */
  get gone(): string {
    return `${this.#prefix}.gone`;
  }

  get registry(): string {
    return `${this.#prefix}.registry`;
  }

  /** Where members of ordered groups tell of themselves. */
  get members(): string {
    return `${this.#prefix}.members`;
  }

  /** What one process hears of the members. */
  membersQueue(id: string): string {
    return `${this.#prefix}.members.${id}`;
  }

  group(name: string): string {
    return `${this.#prefix}.group.${name}`;
  }

  /** `:` is in no name of a group, so that no group is another's partition. */
  partition(name: string, index: number): string {
    return `${this.#prefix}.group.${name}:${index}`;
  }

  live(name: string, id: string): string {
    return `${this.#prefix}.live.${name}:${id}`;
  }

  /** Whose queue it is; `undefined`: it is no live queue. */
  liveOf(queue: string): { readonly name: string; readonly id: string } | undefined {
    const start = `${this.#prefix}.live.`;
    const end = queue.lastIndexOf(":");
    if (!queue.startsWith(start) || end < start.length) return undefined;
    return { name: queue.slice(start.length, end), id: queue.slice(end + 1) };
  }

  /** Where a redriven letter of a broadcast goes; the routing key is the subscription's name. */
  get again(): string {
    return `${this.#prefix}.again`;
  }

  /** The way from there into one live queue. */
  againTo(id: string): string {
    return `${this.#prefix}.again.${id}`;
  }

  /** What fell out of broadcasts that hold as much as they may. */
  get overflow(): string {
    return `${this.#prefix}.overflow`;
  }

  /** Beside a partition: attempts at messages that wait in it. */
  notes(name: string, index: number): string {
    return `${this.#prefix}.group.${name}:${index}:notes`;
  }

  /** Beside a group with a retention: how many messages it held, and when. */
  ages(name: string): string {
    return `${this.#prefix}.group.${name}:ages`;
  }

  /** The last note only. */
  get agesQueue(): Options.AssertQueue {
    return { durable: true, arguments: { "x-max-length": 1 } };
  }

  dead(name: string): string {
    return `${this.#prefix}.dead.${name}`;
  }

  /** With the type: nodes that want another one have queues of their own. */
  wait(ms: number): string {
    return `${this.#prefix}.wait.${this.#options.queueType}.${ms}`;
  }

  lock(word: string): string {
    return `${this.#prefix}.lock.${word}`;
  }

  /** The server itself gives nothing up, and if it ever does the dead letters have it. */
  groupQueue(name: string, isPartition: boolean): Options.AssertQueue {
    return {
      durable: true,
      arguments: {
        "x-queue-type": this.#options.queueType,
        ...(this.#isQuorum ? { "x-delivery-limit": deliveryLimit } : {}),
        // An order has no priorities: they would turn it.
        ...(this.haveFirstPlace && !isPartition ? { "x-max-priority": firstPriority } : {}),
        ...(isPartition ? { "x-single-active-consumer": true } : {}),
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": this.dead(name),
      },
    };
  }

  /**
   * Outlives its connection, and its process by a little. Never replicated: it is one process's.
   * What does not fit any more becomes a dead letter.
   */
  liveQueue(bufferMax: number): Options.AssertQueue {
    return {
      durable: true,
      arguments: {
        "x-queue-type": "classic",
        "x-expires": this.#options.broadcastKeptMs,
        "x-max-length": bufferMax,
        "x-overflow": "drop-head",
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": this.overflow,
      },
    };
  }

  /** Ends with its connection, and hands everything on at once: who is away gets no redrive. */
  againQueue(live: string): Options.AssertQueue {
    return {
      exclusive: true,
      durable: false,
      arguments: {
        "x-message-ttl": 0,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": live,
      },
    };
  }

  /** What broadcasts had no room for, of all of them together, on its way to be letters. */
  get overflowQueue(): Options.AssertQueue {
    return {
      durable: true,
      arguments: { "x-queue-type": "classic", "x-max-length": overflowMax },
    };
  }

  get deadQueue(): Options.AssertQueue {
    const { deadLettersMaxAgeMs: maxAgeMs } = this.#options;
    return {
      durable: true,
      arguments: {
        "x-queue-type": this.#options.queueType,
        ...(this.#isQuorum ? { "x-delivery-limit": deliveryLimit } : {}),
        "x-max-length": this.#options.deadLettersMax,
        ...(maxAgeMs === undefined ? {} : { "x-message-ttl": maxAgeMs }),
        "x-overflow": "drop-head",
      },
    };
  }

  /** Nothing is lost on its way back: at least once, where the server knows how. */
  waitQueue(ms: number): Options.AssertQueue {
    return {
      durable: true,
      arguments: {
        "x-queue-type": this.#options.queueType,
        "x-message-ttl": ms,
        "x-dead-letter-exchange": this.back,
        ...(this.#isQuorum
          ? { "x-dead-letter-strategy": "at-least-once", "x-overflow": "reject-publish" }
          : {}),
      },
    };
  }

  /** New queues of groups have priorities, and with them a place before all others. */
  get haveFirstPlace(): boolean {
    return this.#options.priorities;
  }

  get #isQuorum(): boolean {
    return this.#options.queueType === "quorum";
  }
}

/** FNV-1a over the UTF-8 of the key. It is on the wire: it never changes. */
export function slotOf(orderingKey: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(orderingKey, "utf8")) {
    hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  }
  return hash % slotCount;
}

/** Routing keys that bring a topic, or a pattern, from the exchange of keyed messages. */
export function keyedPatterns(topic: string, slots: readonly number[] | "all"): readonly string[] {
  if (slots === "all") return [`*.${topic}`];
  return slots.map((slot) => `${slot}.${topic}`);
}

/** The slots of one partition of so many. */
export function slotsOf(partition: number, partitions: number): readonly number[] {
  return Array.from({ length: slotCount }, (_, slot) => slot).filter(
    (slot) => slot % partitions === partition,
  );
}
