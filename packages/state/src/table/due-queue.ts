/**
 * Who waits for a turn, in order, each until a moment of its own at the latest.
 *
 * What it owns: those who wait, and one timer for the first of them. What may interrupt it: the
 * timer; the signals of those who wait.
 *
 * W1. Everybody waits equally long at most, so the first one's time is over first.
 * W2. Who was taken, gave up or ran out of time is told so once, and never more.
 */

import type { CancelTimer, Clock, Waiting } from "@banyan/kernel";
import { abortError } from "../failures.ts";

/** What somebody waits with. */
export interface DueItem {
  /** Gives up: because of the signal, the time, or what else the queue is told. */
  readonly reject: (error: unknown) => void;
}

interface Place<T> {
  readonly item: T;
  readonly dueMs: number;
  isGone: boolean;
  forget: () => void;
}

export interface DueQueueOptions {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** What is said to whom the time is over for. */
  readonly onDue: () => Error;
}

export class DueQueue<T extends DueItem> {
  readonly #options: DueQueueOptions;
  #places: Place<T>[] = [];
  #size = 0;
  #cancelTimer: CancelTimer | undefined = undefined;

  constructor(options: DueQueueOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#size;
  }

  push(item: T, waiting: Waiting = {}): void {
    const { clock, timeoutMs } = this.#options;
    const dueMs = clock.monotonicMs() + timeoutMs;
    const place: Place<T> = { item, dueMs, isGone: false, forget: nothing };
    const { signal } = waiting;
    if (signal?.aborted === true) {
      item.reject(abortError(signal.reason));
      return;
    }
    if (signal !== undefined) {
      const onAbort = (): void => this.#leave(place, abortError(signal.reason));
      signal.addEventListener("abort", onAbort, { once: true });
      place.forget = () => signal.removeEventListener("abort", onAbort);
    }
    this.#places.push(place);
    this.#size += 1;
    this.#arm();
  }

  /** The first ones, as many as `fits` says yes to; at least one if anybody waits. */
  take(fits: (item: T, taken: number) => boolean): readonly T[] {
    const taken: T[] = [];
    let at = 0;
    for (; at < this.#places.length; at += 1) {
      const place = this.#places[at];
      if (place === undefined || place.isGone) continue;
      const isFitting = fits(place.item, taken.length);
      if (taken.length > 0 && !isFitting) break;
      place.isGone = true;
      place.forget();
      taken.push(place.item);
    }
    this.#places = this.#places.slice(at);
    this.#size -= taken.length;
    this.#disarm();
    return taken;
  }

  /** Everybody gives up. */
  rejectAll(error: () => unknown): void {
    for (const item of this.take(() => true)) item.reject(error());
  }

  #leave(place: Place<T>, error: Error): void {
    if (place.isGone) return;
    place.isGone = true;
    place.forget();
    this.#size -= 1;
    this.#disarm();
    place.item.reject(error);
  }

  #arm(): void {
    const first = this.#places.find(({ isGone }) => !isGone);
    if (this.#cancelTimer !== undefined || first === undefined) return;
    const { clock } = this.#options;
    const delayMs = Math.max(0, first.dueMs - clock.monotonicMs());
    // It keeps the process alive: somebody waits for it.
    this.#cancelTimer = clock.setTimer(delayMs, this.#onTimer, { keepAlive: true });
  }

  /** Once nobody waits; else the timer finds the next one itself. */
  #disarm(): void {
    if (this.#size > 0) return;
    this.#places = [];
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  readonly #onTimer = (): void => {
    this.#cancelTimer = undefined;
    const { clock, onDue } = this.#options;
    const nowMs = clock.monotonicMs();
    for (const place of this.#places) {
      if (place.dueMs > nowMs) break;
      this.#leave(place, onDue());
    }
    this.#arm();
  };
}

function nothing(): void {}
