/**
 * The one pipeline. Every call of every operation runs through `OperationRunner`, whichever door it
 * came in by:
 *
 *   authenticate → authorize → validate request → deadline → limits → idempotency →
 *   handler → validate response → telemetry
 *
 * Doors authenticate, because they hold the credential; the rest is here. The deadline counts from
 * the first of these stages on. A stage that a call does not need costs it a branch, not a promise:
 * an in-process call is one promise, one context object and two schema-made copies.
 *
 * I1. Nothing runs before the request is authorized and valid; a refused call has no effect.
 * I2. What crosses is copied, both ways: caller and handler share no object. An error crosses
 *     without its cause.
 * I3. A call ends by its deadline even if the handler does not; the handler stays counted in
 *     `runtime.inFlight` until it really settles.
 * I4. The observer is told of every call once, when its caller is.
 */

import type { AnyContract } from "../contract/contract.ts";
import type { NamedOperation } from "../contract/operation.ts";
import { crossingError, isBanyanError, toBanyanError } from "../errors/banyan-error.ts";
import type { BanyanError } from "../errors/banyan-error.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import type { AccessDecision } from "../ports/access.ts";
import type { CallInit } from "./call.ts";
import { CallContext, runHandler } from "./call.ts";
import { Codec } from "./codec.ts";
import { FaultLog } from "./fault-log.ts";
import type { Handler } from "./recorded-handler.ts";
import { assertIdempotencyKey, createRecordedHandler } from "./recorded-handler.ts";
import type { CallRuntime } from "./runtime.ts";
import { StreamCall } from "./stream-call.ts";

export type { Handler };

/** What an operation runs with. */
export interface RunnerMeans {
  readonly handler: Handler;
  /** Shared by all calls of the node. */
  readonly runtime: CallRuntime;
}

/** How an answer is checked: as a stranger's, as a copy only, or not again. */
type AnswerMode = "tolerant" | "trusted" | "checked";

const emptyObject = Object.freeze({
  type: "object",
  properties: Object.freeze({}),
  additionalProperties: false,
});

/** One operation of one service, ready to be called. */
export class OperationRunner {
  /** `greeter.greet`. */
  readonly name: string;
  readonly service: string;
  readonly timeoutMs: number;
  readonly operation: NamedOperation;
  readonly kind: "unary" | "stream" | "raw";
  /** Belongs to the node's observer. */
  observed: unknown = undefined;
  readonly #handler: Handler;
  /** Where answers are recorded; for calls with an idempotency key. */
  readonly #recorded: Handler | undefined;
  readonly #runtime: CallRuntime;
  readonly #faults: FaultLog;
  readonly #request: Codec | undefined;
  readonly #response: Codec | undefined;
  readonly #concurrencyMax: number;
  #running = 0;

  constructor(contract: AnyContract, operation: NamedOperation, means: RunnerMeans) {
    const { handler, runtime } = means;
    const { spec } = operation;
    this.name = `${contract.name}.${operation.name}`;
    this.service = contract.name;
    this.operation = operation;
    this.kind = kindOf(operation);
    this.#handler = handler;
    this.#runtime = runtime;
    this.#faults = new FaultLog(runtime.clock);
    this.#concurrencyMax = spec.concurrencyMax ?? Infinity;
    // A stream may last; only what its contract or its caller says bounds it.
    this.timeoutMs =
      spec.deadlineMs ?? (this.kind === "stream" ? Infinity : runtime.defaultTimeoutMs);
    const { name } = this;
    if (this.kind !== "raw") {
      this.#request = new Codec(spec.request ?? emptyObject, {
        what: `The request of ${name}`,
        refuse: kernelErrors.REQUEST_INVALID,
      });
    }
    const answer = spec.stream ?? spec.response;
    if (answer !== undefined) {
      this.#response = new Codec(answer, {
        what: `The response of ${name}`,
        refuse: kernelErrors.RESPONSE_INVALID,
      });
    }
    const ledger = runtime.idempotency;
    if (ledger !== undefined && this.kind === "unary") {
      const answerOf = (value: unknown): unknown => this.#answerOf(value, "tolerant");
      this.#recorded = createRecordedHandler({ name, handler, ledger, answerOf });
    }
  }

  /** Calls a unary or raw operation. Never throws: whatever goes wrong is a rejection. */
  invoke(request: unknown, init: CallInit): Promise<unknown> {
    // Not `Promise.withResolvers`: the engine optimises the constructor, a tenth of a call.
    return new Promise((resolve, reject) => {
      try {
        const call = new CallContext(this, this.#runtime, init);
        this.#begin(call, init);
        const live = call.open((error, value) => {
          if (error === undefined) resolve(value);
          else reject(crossingError(error));
          this.#runtime.observe(call, error);
        });
        if (live && !this.#isGuarded(call)) this.#start(call, request, init.mode);
        else if (live) {
          this.#authorize(call, request).then(
            () => this.#start(call, request, init.mode),
            (error: unknown) => this.#refuse(call, error),
          );
        }
      } catch (error) {
        reject(toBanyanError(error));
      }
    });
  }

  /** Calls a stream operation. Frames are copied and checked like a response. */
  invokeStream(request: unknown, init: CallInit): StreamCall {
    const mode = init.mode === "trusted" ? "trusted" : "tolerant";
    return new StreamCall({
      handler: this.#handler,
      begin: () => {
        const call = new CallContext(this, this.#runtime, init);
        this.#begin(call, init);
        return call;
      },
      authorize: (call) => (this.#isGuarded(call) ? this.#authorize(call, request) : undefined),
      inputOf: (call) => {
        const input = this.#request?.parse(request, init.mode);
        if (call.idempotencyKey !== undefined) assertIdempotencyKey(call.idempotencyKey);
        return input;
      },
      enter: (call) => this.#enter(call),
      frameOf: (value) => this.#answerOf(value, mode),
      leave: (call) => this.#leave(call),
      failureOf: (call, error) => this.#failureOf(call, error),
      observe: (call, error) => this.#runtime.observe(call, error),
      left: () => this.#runtime.cancelled(undefined),
    });
  }

  /** Calls from outside are authorized; a declared edge was, when the node was planned. */
  #isGuarded(call: CallContext): boolean {
    return call.caller === undefined && this.operation.spec.access !== "anonymous";
  }

  async #authorize(call: CallContext, request: unknown): Promise<void> {
    this.#runtime.admit(call);
    const access = this.operation.spec.access ?? "internal";
    const { authorizer } = this.#runtime;
    const decision: AccessDecision =
      authorizer === undefined
        ? { kind: "unauthenticated", reason: "this node has no way to sign in" }
        : await authorizer.decide({
            principal: call.principal,
            access,
            operation: this.name,
            request,
          });
    if (decision.kind === "allowed") return;
    const refuse =
      decision.kind === "denied"
        ? kernelErrors.CALL_PERMISSION_DENIED
        : kernelErrors.CALL_UNAUTHENTICATED;
    throw refuse(`${this.name} was refused: ${decision.reason}.`);
  }

  /** Runs an authorized call of a unary or raw operation. */
  #start(call: CallContext, request: unknown, mode: CallInit["mode"]): void {
    // The caller may have gone away meanwhile.
    if (call.ended) return;
    let input: unknown;
    let handler = this.#handler;
    let answerMode: AnswerMode = mode === "trusted" ? "trusted" : "tolerant";
    try {
      input = this.#request === undefined ? request : this.#request.parse(request, mode);
      if (call.idempotencyKey !== undefined) {
        assertIdempotencyKey(call.idempotencyKey);
        if (this.#recorded !== undefined) {
          handler = this.#recorded;
          answerMode = "checked";
        }
      }
      this.#enter(call);
    } catch (error) {
      this.#refuse(call, error);
      return;
    }
    this.#run(call, input, { handler, answerMode });
  }

  #run(call: CallContext, input: unknown, how: { handler: Handler; answerMode: AnswerMode }): void {
    const { handler, answerMode } = how;
    let answer: unknown;
    try {
      answer = runHandler(call, handler, input);
      // Some thenables begin only when asked, settle twice, or throw: a promise does none of that.
      if (isForeignThenable(answer)) answer = runHandler(call, promiseOf, answer);
    } catch (error) {
      this.#fail(call, error);
      return;
    }
    if (answer instanceof Promise) {
      answer.then(
        (value: unknown) => this.#settle(call, value, answerMode),
        (error: unknown) => this.#fail(call, error),
      );
    } else this.#settle(call, answer, answerMode);
  }

  #settle(call: CallContext, value: unknown, mode: AnswerMode): void {
    if (!call.ended) {
      let answer: unknown;
      try {
        answer = this.#answerOf(value, mode);
      } catch (error) {
        this.#fail(call, error);
        return;
      }
      call.end(undefined, answer);
    }
    this.#leave(call);
  }

  #fail(call: CallContext, thrown: unknown): void {
    call.end(this.#failureOf(call, thrown), undefined);
    this.#leave(call);
  }

  /** Nothing has run yet. */
  #refuse(call: CallContext, error: unknown): void {
    call.end(this.#failureOf(call, error), undefined);
  }

  #answerOf(value: unknown, mode: AnswerMode): unknown {
    if (mode === "checked") return value;
    if (this.kind !== "raw") return this.#response?.parse(value, mode);
    if (value instanceof Response) return value;
    throw kernelErrors.INTERNAL(`The handler of ${this.name} did not answer a Response.`);
  }

  /** The error a caller is told; what is a fault of ours is logged here, once, with its cause. */
  #failureOf(call: CallContext, error: unknown): BanyanError {
    const failure = isBanyanError(error, "RESPONSE_INVALID")
      ? kernelErrors.INTERNAL("The service answered something its contract does not allow.", {
          cause: error,
        })
      : toBanyanError(error);
    const { abortReason } = call;
    const faulty = isOurFault(failure);
    if (faulty && failure !== abortReason) {
      // After an abort the caller was answered already; the fault is still ours.
      const message = abortReason === undefined ? "operation failed" : "operation failed late";
      this.#faults.write(() => call.log, message, { failure, error });
      this.#runtime.faulted(call, failure);
    }
    return abortReason ?? failure;
  }

  /** @throws CALL_LIMIT_REACHED, NODE_DRAINING */
  #enter(call: CallContext): void {
    if (this.#running >= this.#concurrencyMax) {
      throw kernelErrors.CALL_LIMIT_REACHED(
        `${this.name} has ${this.#running} calls running, as many as its contract allows.`,
        { retryAfterMs: 100 },
      );
    }
    this.#runtime.enter(call);
    call.isBegun = true;
    this.#running += 1;
  }

  #leave(call: CallContext): void {
    this.#running -= 1;
    this.#runtime.leave(call);
  }

  #begin(call: CallContext, init: CallInit): void {
    const { observer } = this.#runtime;
    if (init.parent === undefined || observer?.began === undefined) return;
    if (call.sampled) observer.began(call);
  }
}

/** A thenable that is no promise of ours: query builders and other realms have their own. */
function isForeignThenable(value: unknown): boolean {
  if (typeof value !== "object" || value === null || value instanceof Promise) return false;
  return "then" in value && typeof value.then === "function";
}

function promiseOf(thenable: unknown): Promise<unknown> {
  return Promise.resolve(thenable);
}

/** Worth a line in the log: nobody but the operator can do something about it. */
function isOurFault({ kind, cause }: BanyanError): boolean {
  if (kind === "internal" || kind === "unknown" || kind === "data_loss") return true;
  // A part that failed, with its reason; what is merely not there now has none.
  return kind === "unavailable" && cause !== undefined;
}

function kindOf(operation: NamedOperation): "unary" | "stream" | "raw" {
  if (operation.spec.http !== undefined) return "raw";
  return operation.spec.stream === undefined ? "unary" : "stream";
}
