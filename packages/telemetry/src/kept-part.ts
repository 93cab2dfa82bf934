/**
 * A part of a trace that is kept: facts of what ended. It becomes records when somebody reads it,
 * which for most of what is kept is never.
 *
 * No call is held: behind one hang its request, its answer, the message of an event.
 */

import type { BanyanError, Principal, Random, TraceContext } from "@banyan/kernel";
import { startSpan } from "@banyan/kernel/internal";
import type { CallContext, CallTarget, SpanAttributes, SpanKind } from "@banyan/kernel/internal";
import { isFailure } from "./span.ts";
import type { CallSite, KeepReason, SpanError, SpanRecord } from "./span.ts";

/** Work below a call that is no call: what all spans of a store's `get` share. */
export interface OperationKind {
  readonly name: string;
  readonly kind: SpanKind;
  /** Whose work it is, where no call is above it. */
  readonly service: string;
  readonly attributes: SpanAttributes;
}

export interface OperationStart {
  readonly parent: CallContext | undefined;
  readonly startedMs: number;
  readonly site: CallSite | undefined;
  readonly random: Random;
}

/** A store operation or a publish, from its begin on. */
export class OperationSpan {
  readonly kind: OperationKind;
  readonly parent: CallContext | undefined;
  readonly startedMs: number;
  readonly site: CallSite | undefined;
  error: BanyanError | undefined = undefined;
  durationMs = 0;
  readonly #random: Random;
  #trace: TraceContext | undefined = undefined;

  constructor(kind: OperationKind, { parent, startedMs, site, random }: OperationStart) {
    this.kind = kind;
    this.parent = parent;
    this.startedMs = startedMs;
    this.site = site;
    this.#random = random;
  }

  get trace(): TraceContext {
    this.#trace ??= startSpan(this.parent?.trace, this.#random);
    return this.#trace;
  }
}

/** Noted while the root runs. */
export interface EndedCall {
  readonly call: CallContext;
  readonly error: BanyanError | undefined;
  readonly durationMs: number;
}

export interface PartFacts {
  /** From the monotonic clock to the wall's. */
  readonly offsetMs: number;
  readonly kept: KeepReason;
  readonly dropped: number;
}

/** What the store of recent traces holds. */
export interface TracePart {
  /** Spans in it. */
  readonly count: number;
  /** Failed or slow: what somebody will look for. */
  readonly isNotable: boolean;
  /** Made at the first reading. */
  readonly spans: readonly SpanRecord[];
}

/** What is remembered of one span. */
interface SpanFacts {
  readonly trace: TraceContext;
  readonly isRemote: boolean;
  readonly service: string;
  readonly name: string;
  readonly kind: SpanKind;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly error: SpanError | undefined;
  readonly attributes: SpanAttributes;
  readonly site: CallSite | undefined;
}

/** A root with what ended below it, or what ended late. */
export class KeptPart implements TracePart {
  readonly facts: PartFacts;
  readonly #spans: readonly SpanFacts[];

  constructor(ended: readonly (EndedCall | OperationSpan)[], facts: PartFacts) {
    this.#spans = ended.map((each) =>
      each instanceof OperationSpan ? operationFacts(each) : callFacts(each),
    );
    this.facts = facts;
  }

  get count(): number {
    return this.#spans.length;
  }

  get isNotable(): boolean {
    return (
      this.facts.kept !== "sampled" || this.#spans.some(({ error }) => error?.isFailure === true)
    );
  }

  /** The first one is that of the root, where it is in this part. */
  get spans(): readonly SpanRecord[] {
    const { dropped } = this.facts;
    return this.#spans.map((span, index) =>
      recordOf(span, { ...this.facts, dropped: index === 0 ? dropped : 0 }),
    );
  }
}

/**
 * A call that nothing was below and whose ids nobody has. At a share of many calls this is most of
 * what keeping costs, so it is one object, and its ids are made if somebody reads them.
 */
export class LonePart implements TracePart {
  readonly count = 1;
  readonly facts: PartFacts;
  readonly #target: CallTarget;
  readonly #startedMs: number;
  readonly #durationMs: number;
  readonly #error: BanyanError | undefined;
  readonly #principal: Principal;
  readonly #caller: string | undefined;
  readonly #kind: SpanKind;
  readonly #own: SpanAttributes | undefined;
  readonly #random: Random;
  #trace: TraceContext | undefined = undefined;

  constructor({ call, error, durationMs }: EndedCall, facts: PartFacts, random: Random) {
    const { target, startedMs, principal, caller, shape } = call;
    this.facts = facts;
    this.#target = target;
    this.#startedMs = startedMs;
    this.#durationMs = durationMs;
    this.#error = error;
    this.#principal = principal;
    this.#caller = caller;
    this.#kind = shape?.kind ?? "internal";
    this.#own = shape?.attributes(error);
    this.#random = random;
  }

  get trace(): TraceContext {
    this.#trace ??= startSpan(undefined, this.#random, this.facts.kept === "sampled");
    return this.#trace;
  }

  get isNotable(): boolean {
    return this.facts.kept !== "sampled" || isFailure(this.#error);
  }

  get spans(): readonly SpanRecord[] {
    const target = this.#target;
    const own = { principal: this.#principal, caller: this.#caller, own: this.#own };
    const facts: SpanFacts = {
      trace: this.trace,
      isRemote: false,
      service: target.service,
      name: target.name,
      kind: this.#kind,
      startedMs: this.#startedMs,
      durationMs: this.#durationMs,
      error: errorOf(this.#error),
      attributes: callAttributes(target, own),
      site: undefined,
    };
    return [recordOf(facts, this.facts)];
  }
}

function callFacts({ call, error, durationMs }: EndedCall): SpanFacts {
  const { trace, shape, target, principal, caller, startedMs, note } = call;
  return {
    trace,
    isRemote: call.root === call && trace.parentSpanId !== undefined,
    service: target.service,
    name: target.name,
    kind: shape?.kind ?? "internal",
    startedMs,
    durationMs,
    error: errorOf(error),
    attributes: callAttributes(target, { principal, caller, own: shape?.attributes(error) }),
    // On a root the note is what is below it.
    site: isCallSite(note) ? note : undefined,
  };
}

function isCallSite(note: unknown): note is CallSite {
  return typeof note === "object" && note !== null && "line" in note;
}

interface CallerFacts {
  readonly principal: Principal;
  readonly caller: string | undefined;
  /** Of the door by which the call came. */
  readonly own: SpanAttributes | undefined;
}

function callAttributes(
  { name }: CallTarget,
  { principal, caller, own }: CallerFacts,
): SpanAttributes {
  return {
    "rpc.system.name": "banyan",
    "rpc.method": name,
    "banyan.principal.kind": principal.kind,
    ...(caller === undefined ? {} : { "banyan.caller": caller }),
    ...own,
  };
}

function operationFacts(span: OperationSpan): SpanFacts {
  const { kind: what, parent, trace, startedMs, durationMs, error, site } = span;
  return {
    trace,
    isRemote: false,
    service: parent?.service ?? what.service,
    name: what.name,
    kind: what.kind,
    startedMs,
    durationMs,
    error: errorOf(error),
    attributes: what.attributes,
    site,
  };
}

function recordOf(span: SpanFacts, { offsetMs, kept, dropped }: PartFacts): SpanRecord {
  const { trace, isRemote, service, name, kind, startedMs, durationMs, error, attributes } = span;
  return {
    traceId: trace.traceId,
    spanId: trace.spanId,
    parentSpanId: trace.parentSpanId,
    isRemote,
    service,
    name,
    kind,
    startMs: startedMs + offsetMs,
    durationMs,
    error,
    attributes,
    site: span.site,
    kept,
    dropped,
  };
}

/**
 * The sentence of a failure is what its caller was told. That of a caller's mistake quotes what was
 * wrong, a key or a name, so it is not kept.
 */
function errorOf(error: BanyanError | undefined): SpanError | undefined {
  if (error === undefined) return undefined;
  const { kind, code } = error;
  const isFault = isFailure(error);
  return { kind, code, message: isFault ? error.message : "", isFailure: isFault };
}
