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

/** What ended, as it is noted while its root runs: a list linked through its own entries. */
export type Ended = EndedCall | OperationSpan;

/** A store operation or a publish, from its begin on. */
export class OperationSpan {
  readonly kind: OperationKind;
  readonly parent: CallContext | undefined;
  readonly startedMs: number;
  readonly site: CallSite | undefined;
  error: BanyanError | undefined = undefined;
  durationMs = 0;
  /** Told once: an entry that was linked twice would be a list without an end. */
  isEnded = false;
  /** Noted before it. */
  before: Ended | undefined = undefined;
  readonly #random: Random;
  #ids: TraceContext | undefined = undefined;

  constructor(kind: OperationKind, { parent, startedMs, site, random }: OperationStart) {
    this.kind = kind;
    this.parent = parent;
    this.startedMs = startedMs;
    this.site = site;
    this.#random = random;
  }

  /** Its place in the trace, made when somebody asks. */
  get ids(): TraceContext {
    this.#ids ??= startSpan(this.parent?.trace, this.#random);
    return this.#ids;
  }
}

export class EndedCall {
  readonly call: CallContext;
  readonly error: BanyanError | undefined;
  readonly durationMs: number;
  /** Noted before it. */
  before: Ended | undefined = undefined;

  constructor(call: CallContext, error: BanyanError | undefined, durationMs: number) {
    this.call = call;
    this.error = error;
    this.durationMs = durationMs;
  }
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

  constructor(ended: readonly Ended[], facts: PartFacts) {
    this.#spans = ended.map((each) =>
      each instanceof OperationSpan ? operationFacts(each) : new CallFacts(each, each.call.trace),
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
 * what is kept, so its ids are made only if somebody reads them.
 */
export class LonePart implements TracePart {
  readonly count = 1;
  readonly facts: PartFacts;
  readonly #call: CallFacts;
  readonly #random: Random;

  constructor(ended: EndedCall, facts: PartFacts, random: Random) {
    this.facts = facts;
    this.#call = new CallFacts(ended, undefined);
    this.#random = random;
  }

  get trace(): TraceContext {
    this.#call.ids ??= startSpan(undefined, this.#random, this.facts.kept === "sampled");
    return this.#call.ids;
  }

  get isNotable(): boolean {
    return this.facts.kept !== "sampled" || this.#call.error?.isFailure === true;
  }

  get spans(): readonly SpanRecord[] {
    void this.trace;
    return [recordOf(this.#call, this.facts)];
  }
}

/** Of a call, without the call: what is worked out of them waits for a reader. */
class CallFacts implements SpanFacts {
  ids: TraceContext | undefined;
  readonly isRemote: boolean;
  readonly kind: SpanKind;
  readonly startedMs: number;
  readonly durationMs: number;
  readonly error: SpanError | undefined;
  readonly site: CallSite | undefined;
  readonly #target: CallTarget;
  readonly #principal: Principal;
  readonly #caller: string | undefined;
  /** Of the door by which the call came. */
  readonly #own: SpanAttributes | undefined;

  /** @param ids `undefined`: whoever reads it makes them first */
  constructor({ call, error, durationMs }: EndedCall, ids: TraceContext | undefined) {
    const { shape, note } = call;
    this.ids = ids;
    this.isRemote = call.root === call && ids?.parentSpanId !== undefined;
    this.kind = shape?.kind ?? "internal";
    this.startedMs = call.startedMs;
    this.durationMs = durationMs;
    this.error = errorOf(error);
    // On a root the note is what is below it.
    this.site = isCallSite(note) ? note : undefined;
    this.#target = call.target;
    this.#principal = call.principal;
    this.#caller = call.caller;
    this.#own = shape?.attributes(error);
  }

  get trace(): TraceContext {
    if (this.ids === undefined) throw new Error("The ids of a call are made before it is read.");
    return this.ids;
  }

  get service(): string {
    return this.#target.service;
  }

  get name(): string {
    return this.#target.name;
  }

  get attributes(): SpanAttributes {
    return {
      "rpc.system.name": "banyan",
      "rpc.method": this.name,
      "banyan.principal.kind": this.#principal.kind,
      ...(this.#caller === undefined ? {} : { "banyan.caller": this.#caller }),
      ...this.#own,
    };
  }
}

function isCallSite(note: unknown): note is CallSite {
  return typeof note === "object" && note !== null && "line" in note;
}

function operationFacts(span: OperationSpan): SpanFacts {
  const { kind: what, parent, ids, startedMs, durationMs, error, site } = span;
  return {
    trace: ids,
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
