/**
 * One question to a server and how it ends: answered, failed, or no longer wanted.
 *
 * R1. It ends once. What comes after that is dropped.
 * R2. A write that was sent is never asked again unless the server said that it did nothing.
 */

import { isBanyanError } from "@banyan/kernel";
import type { Waiting } from "@banyan/kernel";
import { kernelErrors } from "@banyan/kernel/internal";
import { isOutOfTime } from "@banyan/state/internal";
import { unknownOutcome } from "./errors.ts";
import type { StoreKeys } from "./layout.ts";
import type { RedisScript, RedisScripts } from "./scripts.ts";

/** What Redis answers to what is asked here. */
export type RedisReply = string | number | null | readonly RedisReply[];

export interface RedisQuestion {
  /** In lower case. */
  readonly name: string;
  readonly args: readonly string[];
  /** Decides the slot. Left out: any server will do. */
  readonly tag?: string;
  /** Whether it may change something: then a lost reply is an outcome nobody knows. */
  readonly writes: boolean;
  /** What is called, by its digest. */
  readonly script?: RedisScript;
  /** What it writes, where it asks nothing: it may leave with others as one call. */
  readonly plain?: PlainWrite | undefined;
}

/** A write without condition, end and revision. */
export interface PlainWrite {
  readonly store: StoreKeys;
  readonly entry: string;
  /** `undefined`: delete. */
  readonly text: string | undefined;
}

/** Whether two writes can be one call: of one store, and of one kind. */
export function canJoin(one: PlainWrite, other: PlainWrite): boolean {
  return one.store === other.store && (one.text === undefined) === (other.text === undefined);
}

/** Several of one store that can: answered by 1 for all, or by a list with a place for each. */
export function joinedQuestion(
  scripts: RedisScripts,
  store: StoreKeys,
  writes: readonly PlainWrite[],
): RedisQuestion {
  const entries = writes.map(({ entry }) => entry);
  const args = writes.flatMap(({ text }) => text ?? []);
  return scriptQuestion(args.length === 0 ? scripts.deletes : scripts.sets, {
    tag: store.tag,
    keys: [store.index, store.expiring, ...entries],
    args,
    writes: true,
  });
}

/** A call of a script; one that only tidies up while it reads counts as a read. */
export function scriptQuestion(
  script: RedisScript,
  call: {
    readonly tag: string;
    readonly keys: readonly string[];
    readonly args: readonly string[];
    readonly writes: boolean;
    readonly plain?: PlainWrite | undefined;
  },
): RedisQuestion {
  const { tag, writes, plain } = call;
  const args = [script.sha, String(call.keys.length), ...call.keys, ...call.args];
  return { name: "evalsha", args, tag, writes, script, plain };
}

/** The same with the script's text, which any server knows. */
export function withText(question: RedisQuestion): RedisQuestion {
  const { script, args } = question;
  if (script === undefined) return question;
  return { ...question, name: "eval", args: [script.text, ...args.slice(1)] };
}

export class Request {
  readonly question: RedisQuestion;
  /** Its place in the order of hand-over. */
  readonly seq: number;
  /** Monotonic. */
  readonly deadlineMs: number;
  readonly promise: Promise<RedisReply>;
  /** How often it was sent. */
  attempts = 0;
  isSent = false;
  isSettled = false;
  readonly #signal: AbortSignal | undefined;
  readonly #resolve: (reply: RedisReply) => void;
  readonly #reject: (error: Error) => void;

  constructor(
    question: RedisQuestion,
    place: { readonly seq: number; readonly deadlineMs: number },
    { signal }: Waiting,
  ) {
    this.question = question;
    this.seq = place.seq;
    this.deadlineMs = place.deadlineMs;
    const { promise, resolve, reject } = Promise.withResolvers<RedisReply>();
    this.promise = promise;
    this.#resolve = resolve;
    this.#reject = reject;
    this.#signal = signal;
    if (signal?.aborted === true) this.#abort();
    else signal?.addEventListener("abort", this.#abort, { once: true });
  }

  answer(reply: RedisReply): void {
    if (!this.#settle()) return;
    this.#resolve(reply);
  }

  /** It was not done. */
  fail(error: Error): void {
    if (!this.#settle()) return;
    this.#reject(error);
  }

  /** No reply will come: of a write that was sent nobody knows the outcome. */
  lose(reason: Error): void {
    this.fail(this.isSent && this.question.writes ? unknownOutcome(reason) : reason);
  }

  /** True the first time (R1). */
  #settle(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    this.#signal?.removeEventListener("abort", this.#abort);
    return true;
  }

  /**
   * What was not sent is taken back, and nobody waits for a read. A write that was sent tells its
   * end, or that it is unknown once the caller has no more time.
   */
  readonly #abort = (): void => {
    const reason: unknown = this.#signal?.reason;
    if (this.isSent && this.question.writes && !isOutOfTime(reason)) return;
    this.lose(cancelled(reason));
  };
}

function cancelled(reason: unknown): Error {
  if (isBanyanError(reason)) return reason;
  const text = "The caller wants no answer from Redis any more; nothing was written.";
  return isOutOfTime(reason)
    ? kernelErrors.CALL_DEADLINE_EXCEEDED(text, { cause: reason })
    : kernelErrors.CALL_CANCELLED(text, { cause: reason });
}
