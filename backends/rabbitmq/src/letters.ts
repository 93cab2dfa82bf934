/**
 * Dead letters on RabbitMQ: a bounded queue for each subscription.
 *
 * Reading takes every letter of the queue and gives all back, under a lock that the server keeps
 * for the connection: two readers would each see a part.
 */

import type { Channel, ChannelModel, ConsumeMessage, Options } from "amqplib";
import type { Clock } from "@banyan/kernel";
import type {
  DeadLetter,
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetters,
  Message,
} from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";
import { checkQuery, describeFailure, OneByOne } from "@banyan/messaging/internal";
import type { Burial, HeldDelivery, ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import type { Inspector } from "./inspector.ts";
import type { Names } from "./names.ts";
import type { ResolvedRabbitmqOptions } from "./options.ts";
import { withLock } from "./server-lock.ts";
import { withChannel } from "./topology.ts";
import { carriedProperties, fresh, letterHeader, readMessage } from "./wire.ts";
import type { Incoming } from "./wire.ts";

/** What a letter says beside its message; the message is the body and properties as ever. */
type LetterNote = Omit<DeadLetter, "message">;

/** `undefined`: it stays. Otherwise it goes if that answers true. */
type Look = (letter: DeadLetter, delivered: ConsumeMessage) => (() => Promise<boolean>) | undefined;

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

/** How long a lock is waited for. */
const lockMaxMs = 10_000;
const lockPauseMs = 25;

/** A queue that gives nothing for so long has no more: some were too old, or pushed out. */
const silenceMaxMs = 2000;

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
      await this.#browse(name, (letter) => {
        if (after === undefined || letter.id > after) found.push(letter);
        if (found.length > limit * 4) trim(found, limit + 1);
        return undefined;
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
      await this.#browse(name, (letter) => {
        if (letter.id === id) found = letter;
        return undefined;
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
      await this.#browse(name, (letter, delivered) => {
        if (!wanted.delete(letter.id)) return undefined;
        return async () => {
          const isGone = await dispose(letter, delivered);
          if (isGone) taken += 1;
          return isGone;
        };
      });
    }
    return taken;
  }

  /**
   * Shows every letter of a subscription; what `look` answers decides afterwards whether it goes.
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
        const all = await takeAll(channel, queue, options.clock);
        let gone = 0;
        for (const message of all) {
          const decide = look(letterOf(message, name), message);
          if (decide === undefined || !(await decide())) continue;
          channel.ack(message);
          gone += 1;
        }
        return all.length - gone;
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

/** Everything the queue has; closing the channel gives back what is not acknowledged. */
async function takeAll(
  channel: Channel,
  queue: string,
  clock: Clock,
): Promise<readonly ConsumeMessage[]> {
  const { messageCount } = await channel.checkQueue(queue);
  if (messageCount === 0) return [];
  const taken: ConsumeMessage[] = [];
  const { promise, resolve } = Promise.withResolvers<undefined>();
  const done = (): void => resolve(undefined);
  let cancelSilence = clock.setTimer(silenceMaxMs, done, { keepAlive: true });
  channel.on("close", done);
  await channel.prefetch(0);
  const { consumerTag } = await channel.consume(queue, (message) => {
    if (message !== null) taken.push(message);
    if (message === null || taken.length >= messageCount) done();
    cancelSilence();
    cancelSilence = clock.setTimer(silenceMaxMs, done, { keepAlive: true });
  });
  await promise;
  await channel.cancel(consumerTag);
  cancelSilence();
  return taken;
}

/** A message that its subscription gives up. */
export function newLetter(
  written: Pick<DeadLetter, "id" | "deadAtMs">,
  { name, delivery }: ResolvedSubscribeSpec,
  { held, reason, error }: Burial & { readonly held: HeldDelivery },
): DeadLetter {
  const { id, topic, timestampMs, body, headers, orderingKey } = held.message;
  return {
    ...written,
    subscription: name,
    delivery,
    message: { id, topic, timestampMs, body, headers, orderingKey },
    attempts: Math.max(1, held.attempt),
    reason,
    error: carried(describeFailure(error)),
  };
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
 * @param isBare without the message's own headers, which are too large beside ours
 */
export function letterProperties(
  letter: DeadLetter,
  delivered: Incoming,
  isBare: boolean,
): Options.Publish {
  const { message, ...note } = letter;
  const passage = { ...fresh, attempt: letter.attempts };
  const properties = carriedProperties(delivered, { message, passage, isLetter: true, isBare });
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
  const carriage = { message, passage, isLetter: true, isBare: false };
  return { ...carriedProperties(delivered, carriage), mandatory: true };
}

function letterOf(delivered: ConsumeMessage, subscription: string): DeadLetter {
  const { id, topic, timestampMs, body, headers, orderingKey } = readMessage(
    delivered,
    false,
  ).message;
  const message: Message = { id, topic, timestampMs, body, headers, orderingKey };
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
  return serverLetter(delivered, { message, subscription });
}

/** The server itself put it there: a broadcast that fell too far behind. */
function serverLetter(
  delivered: ConsumeMessage,
  { message, subscription }: { readonly message: Message; readonly subscription: string },
): DeadLetter {
  return {
    id: `${message.id}.${delivered.fields.deliveryTag}`,
    subscription,
    delivery: "broadcast",
    message,
    attempts: 0,
    reason: "lease-lost",
    error: {
      kind: "resource_exhausted",
      code: "MESSAGING_BUFFER_FULL",
      message: "The subscription held as many messages as it may; RabbitMQ gave this one up.",
    },
    deadAtMs: message.timestampMs,
  };
}

function trim(letters: DeadLetter[], count: number): void {
  letters.sort((a, b) => (a.id < b.id ? -1 : 1));
  letters.length = Math.min(letters.length, count);
}

function lockTaken(name: string): Error {
  return messagingErrors.MESSAGING_UNAVAILABLE(
    `The dead letters of "${name}" are being read by another node; try again later.`,
  );
}
