/**
 * The requests of one connection: those that wait, those that are sent, those that were not done.
 *
 * What it owns: the three, and the timer of their deadlines.
 * What may interrupt it: that timer; callers' signals, which end a request where it stands.
 *
 * Q1. They leave in the order in which they came, and replies come in that order.
 * Q2. At most `requestsWaitingMax` wait or are sent.
 * Q3. Everything ends by its deadline. What was sent keeps its place until its reply or its
 *     connection's end.
 */

import type { BanyanError } from "@banyan/kernel";
import { DeadlineTimer } from "./deadline-timer.ts";
import { fullError, redisErrors } from "./errors.ts";
import { Fifo } from "./fifo.ts";
import type { ResolvedRedisOptions } from "./options.ts";
import { canJoin } from "./request.ts";
import type { PlainWrite, Request } from "./request.ts";
import { UndoneWrites } from "./undone-writes.ts";

export interface RequestLanesParts {
  readonly place: string;
  readonly options: ResolvedRedisOptions;
  /** Why nothing is sent. */
  readonly failure: () => BanyanError;
  /** The server has said nothing for `commandTimeoutMs`, and something is asked. */
  readonly fallSilent: () => void;
}

/** Longest turn between hand-over and sending that counts as silence of the server already. */
const TURN_MS = 50;
/** Of writes that leave as one call: the server does nothing else meanwhile. */
const JOINED_MAX = 64;
/** So many wait no longer, where they are a fourth of what is under way. */
const MANY_MIN = 16;
const MANY_OF_SENT = 4;
const JOINED_CHARACTERS_MAX = 1 << 16;

export class RequestLanes {
  readonly #parts: RequestLanesParts;
  readonly #waiting = new Fifo<Request>();
  readonly #flying = new Fifo<Request>();
  readonly #undone = new UndoneWrites();
  readonly #deadlines: DeadlineTimer;
  #heardMs = 0;

  constructor(parts: RequestLanesParts) {
    this.#parts = parts;
    this.#deadlines = new DeadlineTimer(parts.options.clock, (nowMs) => this.#expire(nowMs));
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** Enough to be worth a packet of their own, before the turn is over. */
  get isManyWaiting(): boolean {
    const { length } = this.#waiting;
    return length >= MANY_MIN && length * MANY_OF_SENT >= this.#flying.length;
  }

  /** Everything that was sent is answered. */
  get isQuiet(): boolean {
    return this.#flying.length === 0;
  }

  get hasUndone(): boolean {
    return this.#undone.requests.length > 0;
  }

  /** Every request that has not ended. */
  get open(): readonly Request[] {
    return [...this.#flying.toArray(), ...this.#undone.requests, ...this.#waiting.toArray()];
  }

  /** Lets it wait, or fails it where too many do (Q2). */
  add(request: Request): void {
    const { requestsWaitingMax } = this.#parts.options;
    if (this.#waiting.length + this.#flying.length >= requestsWaitingMax) {
      request.fail(fullError(requestsWaitingMax));
      return;
    }
    this.#waiting.push(request);
    this.#deadlines.arm(request.deadlineMs);
  }

  /** The next one, which counts as sent from now on. */
  send(): Request | undefined {
    const next = this.#peek();
    if (next === undefined) return undefined;
    this.#waiting.shift();
    next.isSent = true;
    next.attempts += 1;
    if (this.isQuiet) this.#beginSilence(next);
    this.#flying.push(next);
    return next;
  }

  /** Those right behind one that was just sent which can leave with it; they count as sent. */
  sendWith(plain: PlainWrite): readonly Request[] {
    const joined: Request[] = [];
    let characters = plain.text?.length ?? 0;
    while (joined.length < JOINED_MAX - 1) {
      const next = this.#peek()?.question.plain;
      if (next === undefined || !canJoin(plain, next)) break;
      characters += next.text?.length ?? 0;
      if (characters > JOINED_CHARACTERS_MAX) break;
      const request = this.send();
      if (request !== undefined) joined.push(request);
    }
    return joined;
  }

  /** Its reply is there; false where the connection ended before it, and it was told so. */
  land(request: Request): boolean {
    if (this.#flying.peek() !== request) return false;
    this.#flying.shift();
    this.#heardMs = this.#parts.options.clock.monotonicMs();
    return true;
  }

  noteDone(request: Request): void {
    this.#undone.noteDone(request);
  }

  /** The server did not do it, for its script was gone. */
  setAside(request: Request): void {
    request.isSent = false;
    this.#undone.add(request);
  }

  /** Puts what was not done before what waits, or fails what a later write has overtaken. */
  takeBack(): void {
    const again = this.#undone.takeBack(this.#parts.place);
    if (again.length === 0) return;
    for (const request of [...again, ...this.#waiting.takeAll()]) this.#waiting.push(request);
  }

  /** The connection has ended: no reply will come. */
  loseSent(reason: BanyanError): void {
    for (const request of this.#flying.takeAll()) {
      this.#undone.noteDone(request);
      request.lose(reason);
    }
    this.takeBack();
  }

  /** What is not sent yet, to be asked elsewhere or failed. */
  takeWaiting(): Request[] {
    return this.#waiting.takeAll().filter(({ isSettled }) => !isSettled);
  }

  stop(): void {
    this.#deadlines.cancel();
  }

  /** The first that waits and is still wanted. */
  #peek(): Request | undefined {
    let next = this.#waiting.peek();
    while (next?.isSettled === true) {
      this.#waiting.shift();
      next = this.#waiting.peek();
    }
    return next;
  }

  /** From its hand-over on: a silent server is known for one when the request is overdue. */
  #beginSilence({ deadlineMs }: Request): void {
    const { clock, commandTimeoutMs } = this.#parts.options;
    this.#heardMs = Math.max(deadlineMs - commandTimeoutMs, clock.monotonicMs() - TURN_MS);
  }

  /** Ends what is overdue (Q3), and says when to look again. */
  #expire(nowMs: number): number | undefined {
    const { options, failure, fallSilent } = this.#parts;
    let nextMs = Infinity;
    for (const request of [...this.#flying.toArray(), ...this.#undone.requests]) {
      if (request.isSettled) continue;
      if (request.deadlineMs <= nowMs) request.lose(this.#lateError());
      else nextMs = Math.min(nextMs, request.deadlineMs);
    }
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!next.isSettled && next.deadlineMs > nowMs) break;
      this.#waiting.shift()?.fail(failure());
    }
    nextMs = Math.min(nextMs, this.#waiting.peek()?.deadlineMs ?? Infinity);
    if (!this.isQuiet) {
      const silentMs = this.#heardMs + options.commandTimeoutMs;
      if (silentMs <= nowMs) fallSilent();
      else nextMs = Math.min(nextMs, silentMs);
    }
    return nextMs === Infinity ? undefined : nextMs;
  }

  #lateError(): BanyanError {
    const { place, options } = this.#parts;
    return redisErrors.REDIS_TIMED_OUT(
      `Redis at ${place} did not answer within ${options.commandTimeoutMs} ms (commandTimeoutMs).`,
      { details: { place } },
    );
  }
}
