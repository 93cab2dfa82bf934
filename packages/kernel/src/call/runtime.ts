/**
 * What all calls of one node share: ports, limits, the wheel of deadlines, and the count of what is
 * in flight, which is how a node drains.
 *
 * I1. `inFlight` counts handlers that have not settled, whether or not their caller still waits.
 * I2. After `drain` began no call from outside comes in; calls made by running handlers still do,
 *     and those that are being authorized go on, so that what was let in can finish.
 */

import type { BanyanError } from "../errors/banyan-error.ts";
import { isBanyanError } from "../errors/banyan-error.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import type { Authenticator, Authorizer } from "../ports/access.ts";
import type { IdempotencyLedger } from "../ports/idempotency.ts";
import type { Log } from "../ports/log.ts";
import { silentLog } from "../ports/log.ts";
import type { Random } from "../random.ts";
import { systemRandom } from "../random.ts";
import type { Clock } from "../time/clock.ts";
import { systemClock } from "../time/clock.ts";
import { TimingWheel } from "../time/timing-wheel.ts";
import type { CallContext, CallObserver } from "./call.ts";

export interface CallRuntimeOptions {
  readonly clock?: Clock;
  readonly random?: Random;
  readonly log?: Log;
  readonly observer?: CallObserver | undefined;
  /** Left out: nobody can sign in. */
  readonly authenticator?: Authenticator | undefined;
  /** Left out: outer doors reach anonymous operations only. */
  readonly authorizer?: Authorizer | undefined;
  /** Left out: handlers see idempotency keys, but nothing is recorded. */
  readonly idempotency?: IdempotencyLedger | undefined;
  /** Told of each call that failed by a fault of ours, as the log is. */
  readonly onFault?: ((call: CallContext, failure: BanyanError) => void) | undefined;
  /** Deadline of a call whose operation and caller name none. Default 30 000 ms. */
  readonly defaultTimeoutMs?: number;
  /** Handlers at once in the node. Default 10 000: a bound on memory, not on speed. */
  readonly inFlightMax?: number;
}

export class CallRuntime {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer: CallObserver | undefined;
  readonly authenticator: Authenticator | undefined;
  readonly authorizer: Authorizer | undefined;
  readonly idempotency: IdempotencyLedger | undefined;
  readonly #onFault: CallRuntimeOptions["onFault"];
  readonly defaultTimeoutMs: number;
  readonly inFlightMax: number;
  readonly wheel: TimingWheel<CallContext>;
  #inFlight = 0;
  /** Calls from outside that were to be authorized and have not ended. */
  readonly #admitted = new Set<CallContext>();
  #observerFailed = false;
  #draining = false;
  /** Head of the list of what is in flight, linked through the contexts themselves. */
  #live: CallContext | undefined = undefined;
  readonly #onIdle: (() => void)[] = [];

  constructor(options: CallRuntimeOptions = {}) {
    this.clock = options.clock ?? systemClock;
    this.random = options.random ?? systemRandom;
    this.log = options.log ?? silentLog;
    this.observer = options.observer;
    this.authenticator = options.authenticator;
    this.authorizer = options.authorizer;
    this.idempotency = options.idempotency;
    this.#onFault = options.onFault;
    this.defaultTimeoutMs = options.defaultTimeoutMs ?? 30_000;
    this.inFlightMax = options.inFlightMax ?? 10_000;
    this.wheel = new TimingWheel<CallContext>(this.clock, (call) =>
      call.abort(this.deadlineExceeded(call)),
    );
  }

  /** Handlers that have not settled. */
  get inFlight(): number {
    return this.#inFlight;
  }

  get draining(): boolean {
    return this.#draining;
  }

  /**
   * Lets in a call from outside that is still to be authorized: the node waits until it has ended.
   * @throws NODE_DRAINING
   */
  admit(call: CallContext): void {
    if (this.#draining) throw drainingError(call);
    call.isAdmitted = true;
    this.#admitted.add(call);
  }

  /** Counts a handler in. @throws CALL_LIMIT_REACHED, NODE_DRAINING */
  enter(call: CallContext): void {
    if (this.#draining && call.caller === undefined && !call.isAdmitted) {
      throw drainingError(call);
    }
    if (this.#inFlight >= this.inFlightMax) {
      throw kernelErrors.CALL_LIMIT_REACHED(
        `The node has ${this.#inFlight} calls in flight, as many as limits.inFlightMax allows.`,
        { retryAfterMs: 100 },
      );
    }
    this.#inFlight += 1;
    const head = this.#live;
    call.nextLive = head;
    if (head !== undefined) head.previousLive = call;
    this.#live = call;
  }

  /** Tells the observer of a call's end: once, when its caller is told. */
  observe(call: CallContext, error: BanyanError | undefined): void {
    if (call.isAdmitted) this.#release(call);
    if (this.observer === undefined) return;
    try {
      this.observer.ended(call, error, this.clock.monotonicMs() - call.startedMs);
    } catch (fault) {
      this.#watchingFailed(fault);
    }
  }

  /** Tells of a fault of ours. */
  faulted(call: CallContext, failure: BanyanError): void {
    try {
      this.#onFault?.(call, failure);
    } catch (fault) {
      this.#watchingFailed(fault);
    }
  }

  /** Counts a handler out: once for every `enter`. */
  leave(call: CallContext): void {
    this.#inFlight -= 1;
    const { nextLive, previousLive } = call;
    if (previousLive === undefined) this.#live = nextLive;
    else previousLive.nextLive = nextLive;
    if (nextLive !== undefined) nextLive.previousLive = previousLive;
    call.nextLive = undefined;
    call.previousLive = undefined;
    if (this.#onIdle.length > 0) this.#tellIdle();
  }

  /** From now on outer doors are closed (I2). */
  startDraining(): void {
    this.#draining = true;
  }

  /** Resolves when nothing is in flight, nor about to be. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#onIdle.push(resolve);
      this.#tellIdle();
    });
  }

  /** Ends everything still in flight: the node's patience is over. How many there were. */
  abortAll(reason: BanyanError): number {
    // Listed first: an abort makes handlers settle, and settled ones leave the list.
    const live: CallContext[] = [];
    for (let call = this.#live; call !== undefined; call = call.nextLive) live.push(call);
    for (const call of this.#admitted) if (!call.isBegun) live.push(call);
    for (const call of live) call.abort(reason);
    return live.length;
  }

  close(): void {
    this.wheel.close();
  }

  #release(call: CallContext): void {
    call.isAdmitted = false;
    this.#admitted.delete(call);
    if (this.#onIdle.length > 0) this.#tellIdle();
  }

  #tellIdle(): void {
    if (this.#inFlight > 0 || this.#admitted.size > 0) return;
    for (const resolve of this.#onIdle.splice(0)) resolve();
  }

  /** Who watches must not break what is watched. */
  #watchingFailed(fault: unknown): void {
    if (!this.#observerFailed) this.log.error("watching calls failed", { error: fault });
    this.#observerFailed = true;
  }

  cancelled(reason: unknown): BanyanError {
    if (isBanyanError(reason)) return reason;
    return kernelErrors.CALL_CANCELLED("The caller cancelled the call before it was finished.", {
      cause: reason,
    });
  }

  deadlineExceeded(call: CallContext): BanyanError {
    const allowedMs = Math.round(call.deadlineMs - call.startedMs);
    return kernelErrors.CALL_DEADLINE_EXCEEDED(
      `${call.operation} was not finished within ${allowedMs} ms; whether it took effect is not known.`,
      { details: { operation: call.operation, allowedMs } },
    );
  }

  /** The deadline was past before anything began. */
  outOfTime(call: CallContext): BanyanError {
    return kernelErrors.CALL_DEADLINE_EXCEEDED(
      `There was no time left for ${call.operation} when it was called; nothing was done.`,
      { details: { operation: call.operation, allowedMs: 0 } },
    );
  }
}

function drainingError(call: CallContext): BanyanError {
  return kernelErrors.NODE_DRAINING(
    `The node is stopping and does not take ${call.operation} any more; try another instance.`,
    { retryAfterMs: 1000 },
  );
}
