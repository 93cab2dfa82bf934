/**
 * Dead letters on RabbitMQ: a bounded queue for each subscription.
 *
 * Reading takes letters from the beginning of the queue, as far as it must, and gives them back,
 * under a lock that the server keeps for the connection: two readers would each see a part.
 */

import { createHash } from "node:crypto";
import type { ChannelModel, ConsumeMessage, Options } from "amqplib";
import type {
  DeadLetter,
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetters,
  Message,
  OutgoingMessage,
} from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";
import { checkQuery, describeFailure, OneByOne } from "@banyan/messaging/internal";
import type { Burial, HeldDelivery, ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import type { Inspector } from "./inspector.ts";
import type { Names } from "./names.ts";
import type { ResolvedRabbitmqOptions } from "./options.ts";
import { QueueHead } from "./queue-head.ts";
import { deathOf, readDead } from "./server-death.ts";
import { withLock } from "./server-lock.ts";
import { withChannel } from "./topology.ts";
import { carriedProperties, fresh, letterHeader, readMessage } from "./wire.ts";
import type { CarriedHeaders, Incoming } from "./wire.ts";

/** What a letter says beside its message; the message is the body and properties as ever. */
type LetterNote = Omit<DeadLetter, "message">;

interface Look {
  /** `undefined`: it stays. Otherwise it goes if that answers true. */
  see(letter: DeadLetter, delivered: ConsumeMessage): (() => Promise<boolean>) | undefined;
  /** No other letter is wanted. */
  isDone(): boolean;
}

export interface LettersPorts {
  readonly options: ResolvedRabbitmqOptions;
  readonly names: Names;
  readonly inspector: Inspector;
  /** @throws where there is none, or the bus is closed */
  readonly connection: () => ChannelModel;
  /** Subscriptions that may have letters. */
  readonly subscriptions: () => Iterable<string>;
  /** Gives a letter to its subscription again; false where that is gone or full. */
  readonly redeliver: (letter: DeadLetter, delivered: ConsumeMessage) => Promise<boolean>;
  readonly assertOpen: () => void;
}

/** Characters of an error's details: all headers together have 64 KiB. */
const detailsMax = 4096;

/**
 * Letters behind a page that are looked at too: one whose node was slower, or cut off, stands
 * behind later ones.
 */
const behindMax = 256;

/** How long a lock is waited for. */
const lockMaxMs = 10_000;
const lockPauseMs = 25;

/** How long letters may take on their way back into their queue. */
const backMaxMs = 2000;

export class BrokerLetters implements DeadLetters {
  readonly #ports: LettersPorts;
  /** By subscription: one reader of its letters at a time. */
  readonly #readers = new OneByOne();

  constructor(ports: LettersPorts) {
    this.#ports = ports;
  }

  async list(query: DeadLetterQuery = {}): Promise<DeadLetterPage> {
    this.#ports.assertOpen();
    const { subscription, after, limit } = checkQuery(query);
    const names = subscription === undefined ? [...this.#ports.subscriptions()] : [subscription];
    const found: DeadLetter[] = [];
    for (const name of names) {
      let count = 0;
      await this.#browse(name, {
        see(letter) {
          if (after !== undefined && letter.id <= after) return undefined;
          count += 1;
          found.push(letter);
          if (found.length > limit * 4) trim(found, limit + 1);
          return undefined;
        },
        isDone: () => count > limit + behindMax,
      });
    }
    trim(found, limit + 1);
    if (found.length <= limit) return { letters: found, next: undefined };
    const letters = found.slice(0, limit);
    return { letters, next: letters.at(-1)?.id };
  }

  async get(id: string): Promise<DeadLetter | undefined> {
    this.#ports.assertOpen();
    let found: DeadLetter | undefined;
    for (const name of this.#ports.subscriptions()) {
      await this.#browse(name, {
        see(letter) {
          if (letter.id === id) found = letter;
          return undefined;
        },
        isDone: () => found !== undefined,
      });
      if (found !== undefined) return found;
    }
    return undefined;
  }

  redrive(ids: readonly string[]): Promise<number> {
    return this.#take(ids, (letter, delivered) => this.#ports.redeliver(letter, delivered));
  }

  discard(ids: readonly string[]): Promise<number> {
    return this.#take(ids, async () => true);
  }

  async #take(
    ids: readonly string[],
    dispose: (letter: DeadLetter, delivered: ConsumeMessage) => Promise<boolean>,
  ): Promise<number> {
    this.#ports.assertOpen();
    const wanted = new Set(ids);
    let taken = 0;
    for (const name of this.#ports.subscriptions()) {
      if (wanted.size === 0) break;
      await this.#browse(name, {
        see(letter, delivered) {
          if (!wanted.delete(letter.id)) return undefined;
          return async () => {
            const isGone = await dispose(letter, delivered);
            if (isGone) taken += 1;
            return isGone;
          };
        },
        isDone: () => wanted.size === 0,
      });
    }
    return taken;
  }

  /**
   * Shows the letters of a subscription; what `look` answers decides afterwards whether one goes.
   */
  #browse(name: string, look: Look): Promise<void> {
    return this.#readers.run(name, () => this.#browseNow(name, look));
  }

  async #browseNow(name: string, look: Look): Promise<void> {
    const { names, inspector, connection, options } = this.#ports;
    const queue = names.dead(name);
    // One that seems empty may be in the hands of another reader.
    if ((await inspector.depth(queue)) === undefined) return;
    await this.#locked(name, async () => {
      const left = await withChannel(connection(), async (channel) => {
        const head = new QueueHead(channel, options.clock);
        const chosen: { readonly message: ConsumeMessage; decide(): Promise<boolean> }[] = [];
        const seen = new Map<string, number>();
        const count = await head.take(queue, {
          visit(message) {
            const letter = distinct(letterOf(message, name, names.keyed), seen);
            const decide = look.see(letter, message);
            if (decide !== undefined) chosen.push({ message, decide });
            return decide !== undefined;
          },
          isDone: look.isDone,
        });
        const kept: ConsumeMessage[] = [];
        for (const { message, decide } of chosen) {
          if (await decide()) channel.ack(message);
          else kept.push(message);
        }
        head.giveBack(kept);
        return count - (chosen.length - kept.length);
      });
      await this.#areBack(queue, left);
    });
  }

  /** What the channel gave back is there a moment later: the next reader must not come before. */
  async #areBack(queue: string, count: number): Promise<void> {
    const { inspector, options } = this.#ports;
    const untilMs = options.clock.monotonicMs() + backMaxMs;
    while (options.clock.monotonicMs() < untilMs) {
      const depth = await inspector.depth(queue);
      if (depth === undefined || depth.ready >= count) return;
      await options.clock.sleep(2);
    }
  }

  /** One reader at a time, of all nodes: the lock is a queue that belongs to one connection. */
  async #locked<T>(name: string, use: () => Promise<T>): Promise<T> {
    const { names, connection, options } = this.#ports;
    const { clock } = options;
    const giveUpMs = clock.monotonicMs() + lockMaxMs;
    for (;;) {
      const done = await withLock(connection(), names.lock(`dead.${name}`), use);
      if (done !== "taken") return done.value;
      if (clock.monotonicMs() > giveUpMs) throw lockTaken(name);
      await clock.sleep(lockPauseMs);
    }
  }
}

/** A message that its subscription gives up. */
export function newLetter(
  written: Pick<DeadLetter, "id" | "deadAtMs">,
  { name, delivery }: ResolvedSubscribeSpec,
  { held, reason, error }: Burial & { readonly held: HeldDelivery },
): DeadLetter {
  return {
    ...written,
    subscription: name,
    delivery,
    message: keptOf(held.message),
    attempts: Math.max(1, held.attempt),
    reason,
    error: carried(describeFailure(error)),
  };
}

/** What a letter has of its message: neither its time nor its end. */
function keptOf({
  deliverAtMs: _due,
  expiresAtMs: _end,
  priority,
  ...kept
}: OutgoingMessage): Message {
  return priority === undefined ? kept : { ...kept, priority };
}

/** An error's details are anybody's: what cannot be carried in a header is left out. */
function carried(error: DeadLetter["error"]): DeadLetter["error"] {
  const { details, ...rest } = error;
  if (details === undefined) return error;
  try {
    const text = JSON.stringify(details);
    // As it was made: an object that is JSON.
    if (text.length <= detailsMax) return { ...rest, details: JSON.parse(text) as typeof details };
  } catch {
    // No JSON: a cycle, a bigint.
  }
  return { ...rest, details: { leftOut: "The details were no JSON, or too long for a header." } };
}

/**
 * The properties of a dead letter on its way to its queue.
 * @param delivered the message as it came: in that format it stays
 * @param carried which of the message's own headers, which may be too large beside ours
 */
export function letterProperties(
  letter: DeadLetter,
  delivered: Incoming,
  carried: CarriedHeaders,
): Options.Publish {
  const { message, ...note } = letter;
  const passage = { ...fresh, attempt: letter.attempts };
  const properties = carriedProperties(delivered, {
    message,
    passage,
    isLetter: true,
    carried,
  });
  const headers: unknown = properties.headers;
  return {
    ...properties,
    mandatory: true,
    headers: Object.assign({}, headers, { [letterHeader]: JSON.stringify(note) }),
  };
}

/** What a redriven letter is published with: as if it were new. */
export function redriveProperties(
  message: Message,
  delivered: Incoming,
  nowMs: number,
): Options.Publish {
  const passage = { ...fresh, queuedAtMs: nowMs };
  const carriage = { message, passage, isLetter: true, carried: "all" } as const;
  return { ...carriedProperties(delivered, carriage), mandatory: true };
}

function letterOf(delivered: ConsumeMessage, subscription: string, keyed: string): DeadLetter {
  const message = keptOf(readMessage(delivered, false).message);
  const written: unknown = delivered.properties.headers?.[letterHeader];
  if (typeof written === "string") {
    try {
      // Ours, with the message as it always was; a stranger's is judged like the server's.
      const note = JSON.parse(written) as LetterNote;
      if (typeof note.id === "string") return { ...note, message };
    } catch {
      // A stranger's.
    }
  }
  const served = serverLetter(delivered, keyed, {
    id: idOfServer(delivered),
    deadAtMs: message.timestampMs,
  });
  return { ...served.letter, subscription, delivery: "group" };
}

/** Of letters that are the same in everything each has a number: whichever is taken is as good. */
function distinct(letter: DeadLetter, seen: Map<string, number>): DeadLetter {
  const before = seen.get(letter.id) ?? 0;
  seen.set(letter.id, before + 1);
  return before === 0 ? letter : { ...letter, id: `${letter.id}.${before + 1}` };
}

/**
 * The server gives its letters no id: one is made of what the message is, the same whenever it is
 * read. It ascends with the time of the death, which the server knows in seconds.
 */
function idOfServer(delivered: ConsumeMessage): string {
  const { content, fields, properties } = delivered;
  const messageId: unknown = properties.messageId;
  // How often it was looked at is no part of what it is.
  const { "x-delivery-count": _looks, ...headers }: Record<string, unknown> =
    properties.headers ?? {};
  const atMs = deathOf(delivered)?.atMs ?? 0;
  const what = createHash("sha256")
    .update(JSON.stringify([messageId, headers, fields.routingKey]))
    .update(content)
    .digest("hex");
  const time = atMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-server-${what.slice(0, 24)}`;
}

/**
 * A letter of what the server itself took out of a queue: there was no room, or a policy says so.
 * And which queue that was.
 */
export function serverLetter(
  delivered: ConsumeMessage,
  keyed: string,
  written: Pick<DeadLetter, "id" | "deadAtMs">,
): {
  readonly letter: Omit<DeadLetter, "subscription" | "delivery">;
  readonly queue: string;
} {
  const death = deathOf(delivered);
  const { message: arrived, passage } = readDead(delivered, death, keyed);
  const message = keptOf(arrived);
  const given = { ...written, message, attempts: passage.attempt };
  const queue = death?.queue ?? "";
  if (death?.reason === "maxlen") return { letter: { ...given, ...pushedOut }, queue };
  const why = death?.reason ?? "unknown";
  const error = describeFailure(
    messagingErrors.MESSAGING_LEASE_LOST(`RabbitMQ itself gave the message up: ${why}.`),
  );
  return { letter: { ...given, reason: "lease-lost", error }, queue };
}

const pushedOut = {
  reason: "buffer-full",
  error: {
    kind: "resource_exhausted",
    code: "MESSAGING_BUFFER_FULL",
    message:
      "The subscription held as many messages as it may, and this one was the oldest; it is too " +
      "slow for what is published.",
  },
} as const;

function trim(letters: DeadLetter[], count: number): void {
  letters.sort((a, b) => (a.id < b.id ? -1 : 1));
  letters.length = Math.min(letters.length, count);
}

function lockTaken(name: string): Error {
  return messagingErrors.MESSAGING_UNAVAILABLE(
    `The dead letters of "${name}" are being read by another node; try again later.`,
  );
}
