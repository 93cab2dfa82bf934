/**
 * The call context: everything that travels with a call, explicitly or by async context.
 *
 * What it owns: at most one AbortController, made only when somebody reads `signal`, because most
 * handlers never do and a controller costs as much as the rest of an in-process call.
 * What may interrupt it: its deadline (the runtime's timing wheel), its caller's abort, the node's
 * stop. Whichever comes first settles it.
 *
 * I1. A call settles exactly once; what comes later is dropped.
 * I2. A call's deadline is never after its parent's.
 * I3. When a call is aborted, its live children are aborted with the same reason; a child that
 *     comes later is aborted before it starts.
 */

import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";
import type { BanyanError } from "../errors/banyan-error.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import type { Principal } from "../ports/access.ts";
import type { EventDelivery } from "../ports/event.ts";
import type { Log } from "../ports/log.ts";
import type { Waiting } from "../ports/store.ts";
import type { Random } from "../random.ts";
import type { Clock } from "../time/clock.ts";
import type { TimingWheel, WheelEntry } from "../time/timing-wheel.ts";
import { startSpan } from "./trace.ts";
import type { SpanShape, TraceContext } from "./trace.ts";

/** What a handler sees of its call. Also accepted wherever a `signal` is. */
export interface Call {
  /** Name of the service called. */
  readonly service: string;
  /** Full name of the operation: `greeter.greet`. */
  readonly operation: string;
  /** On whose behalf it runs. */
  readonly principal: Principal;
  /** Service that made the call; `undefined` when it came through an outer door. */
  readonly caller: string | undefined;
  /** Aborted when the deadline is reached, the caller went away, or the node must stop. */
  readonly signal: AbortSignal;
  readonly trace: TraceContext;
  readonly idempotencyKey: string | undefined;
  /** Of the handler of a subscription: how its event came. `undefined` for other calls. */
  readonly delivery: EventDelivery | undefined;
  /** Writes lines that name the call and its trace. */
  readonly log: Log;
  /** Milliseconds until the deadline; `Infinity` where there is none; 0 when it is past. */
  remainingMs(): number;
}

/** How a typed client is told more than the request. */
export interface CallOptions {
  /** Milliseconds from now; cut to what the calling operation has left. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Makes asking again safe: 1 … 255 visible ASCII characters. */
  readonly idempotencyKey?: string | undefined;
  /** The call this one belongs to. Default: the current one, by async context. */
  readonly call?: Call | undefined;
}

/** How a call came in. */
export interface CallInit {
  /** Unknown fields of the request: refused at the HTTP edge, ignored elsewhere. */
  readonly mode: "strict" | "tolerant" | "trusted";
  readonly principal: Principal;
  /** Set on a declared edge inside the platform; such calls are not authorized again. */
  readonly caller?: string | undefined;
  readonly parent?: CallContext | undefined;
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly trace?: TraceContext | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly delivery?: EventDelivery | undefined;
  /** What the events belong to that are published in it. Default: as its parent says. */
  readonly correlationId?: string | undefined;
  /** How its span is described. Left out: a call inside the node. */
  readonly shape?: SpanShape | undefined;
  /**
   * Told when the call begins to wait for its handler. A door links what it knows to `abort` here
   * (a closed connection), instead of making an AbortSignal for every call.
   */
  readonly onOpen?: ((call: CallContext) => void) | undefined;
}

/** What a call is made to. */
export interface CallTarget {
  readonly service: string;
  /** Full name: `greeter.greet`. */
  readonly name: string;
  /** When the caller names no timeout; `Infinity` where nothing bounds it. */
  readonly timeoutMs: number;
  /** A `stream` may last: that alone does not make it slow. Left out: `unary`. */
  readonly kind?: "unary" | "stream" | "raw" | "span" | undefined;
  /** Belongs to the node's observer: what it notes about all calls of this target. */
  observed?: unknown;
}

const ambient = new AsyncLocalStorage<CallContext>();

/** The call whose handler is running, by async context. */
export function currentCall(): Call | undefined {
  return ambient.getStore();
}

/** The same, as the pipeline knows it. */
export function currentCallContext(): CallContext | undefined {
  return ambient.getStore();
}

/** Runs a function with `call` as the current one. */
export function runInCall<A extends unknown[], R>(
  call: CallContext,
  run: (...args: A) => R,
  ...args: A
): R {
  return ambient.run(call, run, ...args);
}

type RunHandler<R> = (input: unknown, call: CallContext) => R;

/**
 * Runs a handler with `call` as the current one, and with no other async context of its caller: as
 * after a wire, only the call crosses. That is also what makes it cheap. `ambient.run` copies the
 * caller's context twice, there and back, which costs as much as the rest of an in-process call; a
 * resource made once switches to its own context, which is empty, and back without a copy.
 */
export function runHandler<R>(call: CallContext, handler: RunHandler<R>, input: unknown): R {
  if (!switchesBack) return ambient.run(call, handler, input, call);
  return blank.runInAsyncScope(enterHandler<R>, undefined, call, handler, input);
}

function enterHandler<R>(call: CallContext, handler: RunHandler<R>, input: unknown): R {
  ambient.enterWith(call);
  return handler(input, call);
}

const blank = new AsyncResource("BanyanCall", { requireManualDestroy: true });

/** Not so where Node was told to do without async context frames: stores then stay behind. */
const switchesBack = blank.runInAsyncScope(() => {
  const probe = new AsyncLocalStorage<number>();
  probe.enterWith(1);
  blank.runInAsyncScope(() => probe.enterWith(2));
  return probe.getStore() === 1;
});

/**
 * Why somebody who waits should stop, or `undefined` while they may go on. Asks a call directly:
 * reading its `signal` would make a controller only to look at it once.
 */
export function abortReasonOf(waiting: Waiting): unknown {
  if (waiting instanceof CallContext) return waiting.abortReason;
  return waiting.signal?.aborted === true ? waiting.signal.reason : undefined;
}

/** Runs a function as if no call was current: for work that outlives the call that started it. */
export function runOutsideCalls<R>(run: () => R): R {
  return ambient.exit(run);
}

/**
 * The port of who watches calls; metrics and traces are behind it. Told of every call, on the hot
 * path: count and return.
 */
export interface CallObserver {
  /**
   * Whether a trace that begins here is kept whole; asked at most once for each. Left out: no trace
   * is, unless its parent says so.
   */
  readonly sample?: ((nowMs: number) => boolean) | undefined;
  /** Whether one that came in as sampled is kept here too. Left out: yes. */
  readonly sampleRemote?: ((nowMs: number) => boolean) | undefined;
  /**
   * A call below another one begins, in the turn in which it was made, and its trace is sampled:
   * the place in the code that made it is still on the stack.
   */
  readonly began?: ((call: CallContext) => void) | undefined;
  /** Told once, when the caller is. */
  ended(call: CallContext, error: BanyanError | undefined, durationMs: number): void;
}

/** What a call needs of the node it runs in; a `CallRuntime` is one. */
interface Surroundings {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer: CallObserver | undefined;
  readonly wheel: TimingWheel<CallContext>;
  cancelled(reason: unknown): BanyanError;
  outOfTime(call: CallContext): BanyanError;
}

type OnEnd = (error: BanyanError | undefined, value: unknown) => void;

export class CallContext implements Call, WheelEntry {
  readonly target: CallTarget;
  readonly startedMs: number;
  /** The first call of its trace in this node; itself, where none is above it. */
  readonly root: CallContext;
  /** Belongs to the node's observer: what it notes about the call. */
  note: unknown = undefined;
  /** What the observer keeps of it after its end, with ids that may be made there first. */
  keptAs: { readonly trace: TraceContext } | undefined = undefined;
  deadlineMs: number;
  /** Its handler has been asked; until then a refusal has had no effect. */
  isBegun = false;
  /** Let in before it was authorized: see the runtime's `admit`. */
  isAdmitted = false;
  // Links of the timing wheel, and of the runtime's list of what is in flight: intrusive, because
  // a set entry per call would cost more than the call.
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;
  nextLive: CallContext | undefined = undefined;
  previousLive: CallContext | undefined = undefined;

  readonly #runtime: Surroundings;
  readonly #init: CallInit;
  #controller: AbortController | undefined = undefined;
  #children: Set<CallContext> | undefined = undefined;
  #trace: TraceContext | undefined = undefined;
  #sampled: boolean | undefined = undefined;
  #log: Log | undefined = undefined;
  #onEnd: OnEnd | undefined = undefined;
  #onSignal: (() => void) | undefined = undefined;
  #ended = false;
  #abortReason: BanyanError | undefined = undefined;

  /** @throws CALL_OPTIONS_INVALID */
  constructor(target: CallTarget, runtime: Surroundings, init: CallInit) {
    const { parent, timeoutMs = target.timeoutMs } = init;
    // Also refuses NaN, which would be a deadline that never comes.
    if (typeof timeoutMs !== "number" || !(timeoutMs >= 0)) throw timeoutError(timeoutMs);
    this.target = target;
    this.root = parent === undefined || init.trace !== undefined ? this : parent.root;
    this.#runtime = runtime;
    this.#init = init;
    this.startedMs = runtime.clock.monotonicMs();
    // From outside a caller may ask for less time than the contract allows, never for more.
    const allowedMs = init.caller === undefined ? Math.min(timeoutMs, target.timeoutMs) : timeoutMs;
    const own = this.startedMs + allowedMs;
    this.deadlineMs = parent === undefined ? own : Math.min(own, parent.deadlineMs);
  }

  get service(): string {
    return this.target.service;
  }

  get operation(): string {
    return this.#ofOperation.target.name;
  }

  get principal(): Principal {
    return this.#init.principal;
  }

  get caller(): string | undefined {
    return this.#ofOperation.#init.caller;
  }

  get idempotencyKey(): string | undefined {
    return this.#ofOperation.#init.idempotencyKey;
  }

  get delivery(): EventDelivery | undefined {
    return this.#ofOperation.#init.delivery;
  }

  /** Of the event that it handles, or is part of the handling of: what is published inherits it. */
  get correlationId(): string | undefined {
    return this.#init.correlationId ?? this.#init.parent?.correlationId;
  }

  /** A span inside of a call is that call to everybody but the trace. */
  get #ofOperation(): CallContext {
    const { parent } = this.#init;
    return this.target.kind === "span" && parent !== undefined ? parent.#ofOperation : this;
  }

  get ended(): boolean {
    return this.#ended;
  }

  get abortReason(): BanyanError | undefined {
    return this.#abortReason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortReason !== undefined) this.#controller.abort(this.#abortReason);
    }
    return this.#controller.signal;
  }

  get shape(): SpanShape | undefined {
    return this.#init.shape;
  }

  get trace(): TraceContext {
    if (this.#trace === undefined) {
      if (this.keptAs !== undefined) return (this.#trace = this.keptAs.trace);
      const above = this.#init.trace ?? this.#init.parent?.trace;
      this.#trace = startSpan(above, this.#runtime.random, this.sampled);
    }
    return this.#trace;
  }

  /** Whether its ids are known to anybody, or come from its caller. */
  get isTraced(): boolean {
    const { trace, parent } = this.#init;
    return this.#trace !== undefined || parent !== undefined || trace !== undefined;
  }

  /**
   * What a call that another node runs for this one is told: this span where the trace is kept, or
   * else the one above it, which has an id already. `undefined`: there is none.
   */
  get traceBelow(): TraceContext | undefined {
    if (this.sampled || this.#trace !== undefined) return this.trace;
    return this.#init.trace ?? this.#init.parent?.trace;
  }

  /** Whether the trace is kept, whatever happens in it: as the parent says, or decided once. */
  get sampled(): boolean {
    this.#sampled ??= this.#decideSampled();
    return this.#sampled;
  }

  get log(): Log {
    if (this.#log === undefined) {
      const { traceId, spanId } = this.trace;
      this.#log = this.#runtime.log.child({ operation: this.operation, traceId, spanId });
    }
    return this.#log;
  }

  #decideSampled(): boolean {
    if (this.root !== this) return this.#init.parent?.sampled ?? false;
    const { trace } = this.#init;
    const { observer } = this.#runtime;
    if (trace === undefined) return observer?.sample?.(this.startedMs) ?? false;
    // Whoever calls us decides, as far as we let strangers decide what we pay.
    return trace.sampled && (observer?.sampleRemote?.(this.startedMs) ?? true);
  }

  remainingMs(): number {
    return Math.max(0, this.deadlineMs - this.#runtime.clock.monotonicMs());
  }

  /**
   * Starts waiting for an end: `onEnd` is called once, by `end` or by `abort` (I1). False when the
   * end came with it: the caller went away, the parent was aborted, or no time is left.
   */
  open(onEnd: OnEnd): boolean {
    this.#onEnd = onEnd;
    const { parent, signal, onOpen } = this.#init;
    if (parent?.abortReason !== undefined) this.abort(parent.abortReason);
    else if (signal?.aborted === true) this.abort(this.#runtime.cancelled(signal.reason));
    else if (this.deadlineMs <= this.startedMs) this.abort(this.#runtime.outOfTime(this));
    if (this.#ended) return false;
    parent?.adopt(this);
    if (signal !== undefined) {
      this.#onSignal = () => this.abort(this.#runtime.cancelled(signal.reason));
      signal.addEventListener("abort", this.#onSignal, { once: true });
    }
    if (this.deadlineMs !== Infinity) this.#runtime.wheel.add(this);
    onOpen?.(this);
    return !this.#ended;
  }

  /** The answer is known. */
  end(error: BanyanError | undefined, value: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#runtime.wheel.remove(this);
    this.#init.parent?.release(this);
    if (this.#onSignal !== undefined) {
      this.#init.signal?.removeEventListener("abort", this.#onSignal);
      this.#onSignal = undefined;
    }
    const onEnd = this.#onEnd;
    // Its closure holds request and answer, and a call may be remembered for a while.
    this.#onEnd = undefined;
    onEnd?.(error, value);
  }

  /** Somebody does not want the answer any more. */
  abort(reason: BanyanError): void {
    if (this.#ended) return;
    this.#abortReason = reason;
    this.end(reason, undefined);
    this.#controller?.abort(reason);
    for (const child of this.#children ?? []) child.abort(reason);
  }

  adopt(child: CallContext): void {
    (this.#children ??= new Set()).add(child);
  }

  release(child: CallContext): void {
    this.#children?.delete(child);
  }
}

function timeoutError(timeoutMs: unknown): BanyanError {
  return kernelErrors.CALL_OPTIONS_INVALID(
    `timeoutMs is ${String(timeoutMs)}; give milliseconds, 0 or more.`,
  );
}
