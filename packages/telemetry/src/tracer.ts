/**
 * Makes spans of what calls and the work below them did, and decides which traces are kept.
 *
 * What it is: nothing is written while a trace runs. Each call notes what ended below it, and at
 * the end of the first one, its root in this node, all of it becomes spans or is forgotten. So a
 * trace that failed or was slow is kept with all it did, although nobody knew before.
 * What it owns: the notes of running calls (`call.note`), the budget of traces kept for a reason.
 * What may interrupt it: nothing; each method runs to its end in one turn.
 *
 * I1. A sampled trace is kept. One that is not is kept from its root in this node down when a call
 *     of it failed or was slow, as long as `failuresPerSecondMax` allows.
 * I2. What ends after its root is kept if the root was, or for its own sake.
 * I3. At most `spansMax` spans are noted for a root and `notedMax` for all that run; how many more
 *     there were is told. A failure takes the place of what went well. After its root's end at most
 *     `lateMax` spans of a trace are kept.
 * I4. What is kept holds no call, and so no request, answer or message: facts alone. Records are
 *     made when somebody reads them.
 */

import type { BanyanError, Clock, Random, TraceContext } from "@banyan/kernel";
import type { CallContext } from "@banyan/kernel/internal";
import { findCallSite } from "./call-site.ts";
import { EndedCall, KeptPart, LonePart } from "./kept-part.ts";
import type { Ended, OperationSpan, OperationStart, TracePart } from "./kept-part.ts";
import { createSampler } from "./sampler.ts";
import type { Sampler } from "./sampler.ts";
import { isFailure } from "./span.ts";
import type { KeepReason, SpanSink } from "./span.ts";

export interface TracerOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** Takes what is kept as it is. */
  readonly recent: { add(part: TracePart): void };
  /** Take what is kept as records, at once. */
  readonly sinks: readonly SpanSink[];
  /** Share of new traces that are kept whole. */
  readonly ratio: number;
  /** New traces kept whole in a second. */
  readonly perSecondMax: number;
  /** Calls that take as long are kept, and what is below them. `Infinity`: none. */
  readonly slowMs: number;
  /** Traces kept in a second because they failed or were slow. */
  readonly failuresPerSecondMax: number;
  /** Traces kept in a second because they came in sampled. */
  readonly remotePerSecondMax: number;
  /** Spans noted below one root. */
  readonly spansMax: number;
  /** Spans noted below all roots of the node together: what running calls may remember. */
  readonly notedMax: number;
  /** Whether sampled spans say where in the code they were asked for. */
  readonly callSites: boolean;
}

/** What a root notes; also left on it after its end, for what ends later. */
class Note {
  /** What ended last, linked to what ended before it. */
  last: Ended | undefined = undefined;
  size = 0;
  dropped = 0;
  /** Spans kept after the root's end. */
  late = 0;
  /** Something below failed or was slow. */
  reason: KeepReason | undefined = undefined;
  /** Decided at the root's end. */
  kept: KeepReason | "not" | undefined = undefined;
}

/** How the counts of a tracer stand. */
export interface TracerCounts {
  /** Traces kept, by reason. */
  readonly kept: Readonly<Record<KeepReason, number>>;
  /** Traces that failed or were slow, and for which the second's budget was used up. */
  readonly overBudget: number;
  /** Spans for which their trace had no room. */
  readonly spansDropped: number;
  /** Times that a taker of spans threw. */
  readonly failures: number;
}

/** What ends after its root, and why it would be kept. */
interface LateSpan {
  readonly ended: Ended;
  readonly reason: KeepReason | undefined;
}

// A look at the stack takes up to 10 µs: so it takes 1 % of a processor at most, at any time.
const siteBudget = { ratio: 1, perSecondMax: 1_000, windowMs: 100 };
const lateMax = 100; // work that goes on for ever under an ended call is no part of a picture
const offsetAgeMs = 100;

export class Tracer {
  readonly sample: Sampler;
  readonly sampleRemote: Sampler;
  readonly #options: TracerOptions;
  readonly #affordable: Sampler;
  readonly #sites: Sampler;
  readonly #kept: Record<KeepReason, number> = { sampled: 0, error: 0, slow: 0 };
  #offset = 0;
  #offsetAtMs = -Infinity;
  #overBudget = 0;
  #spansDropped = 0;
  #noted = 0;
  #failures = 0;

  constructor(options: TracerOptions) {
    const { ratio, perSecondMax, failuresPerSecondMax, remotePerSecondMax, random } = options;
    this.#options = options;
    this.sampleRemote = createSampler({ ratio: 1, perSecondMax: remotePerSecondMax, random });
    this.sample = createSampler({ ratio, perSecondMax, random });
    this.#affordable = createSampler({ ratio: 1, perSecondMax: failuresPerSecondMax, random });
    this.#sites = createSampler({ ...siteBudget, random });
  }

  get slowMs(): number {
    return this.#options.slowMs;
  }

  get counts(): TracerCounts {
    return {
      kept: { ...this.#kept },
      overBudget: this.#overBudget,
      spansDropped: this.#spansDropped,
      failures: this.#failures,
    };
  }

  /** Something that spans were given to threw. */
  failed(): void {
    this.#failures += 1;
  }

  /** A sampled call below another begins: the code that made it is on the stack. */
  began(call: CallContext): void {
    if (this.#options.callSites && this.#sites(call.startedMs)) call.note = findCallSite();
  }

  /** A call ended. Answers its span, where that is known to be kept. */
  ended(
    call: CallContext,
    error: BanyanError | undefined,
    durationMs: number,
  ): { readonly trace: TraceContext } | undefined {
    const reason = this.#reasonOf(call, error, durationMs);
    if (call.root !== call) {
      this.#addBelow(call.root, new EndedCall(call, error, durationMs), reason);
      return call.sampled ? call : undefined;
    }
    const note = call.note instanceof Note ? call.note : undefined;
    if (call.sampled) {
      return this.#keepRoot(new EndedCall(call, error, durationMs), "sampled", note);
    }
    const why = reason ?? note?.reason;
    if (why !== undefined && this.#affordable(call.startedMs + durationMs)) {
      return this.#keepRoot(new EndedCall(call, error, durationMs), why, note);
    }
    if (why !== undefined) this.#overBudget += 1;
    if (note !== undefined) {
      this.#forget(note);
      note.kept = "not";
    }
    return undefined;
  }

  /** Work that is no call begins, in the turn in which it was asked for. */
  start(parent: CallContext | undefined): OperationStart {
    const { clock, random, callSites } = this.#options;
    const startedMs = clock.monotonicMs();
    const isPlaced = callSites && parent?.sampled === true && this.#sites(startedMs);
    return { parent, startedMs, site: isPlaced ? findCallSite() : undefined, random };
  }

  /**
   * It ended; a second end is passed over. What is below no call is kept for its own sake alone: it
   * failed, or was slow.
   */
  end(span: OperationSpan, error: BanyanError | undefined, durationMs: number): void {
    if (span.isEnded) return;
    span.isEnded = true;
    span.error = error;
    span.durationMs = durationMs;
    if (span.parent !== undefined) {
      // What a call fails of is said by the call: it may well expect a conflict.
      this.#addBelow(span.parent.root, span, undefined);
      return;
    }
    const isSlow = durationMs >= this.#options.slowMs;
    const why = isFailure(error) ? "error" : isSlow ? "slow" : undefined;
    // Never drawn: a loop that polls a store would take the places of requests.
    if (why === undefined) return;
    if (!this.#affordable(span.startedMs + durationMs)) {
      this.#overBudget += 1;
      return;
    }
    this.#kept[why] += 1;
    this.#keep([span], why, 0);
  }

  #reasonOf(
    call: CallContext,
    error: BanyanError | undefined,
    durationMs: number,
  ): KeepReason | undefined {
    if (error !== undefined && isFailure(error)) return "error";
    return durationMs >= this.#options.slowMs && call.target.kind !== "stream" ? "slow" : undefined;
  }

  #keepRoot(
    root: EndedCall,
    why: KeepReason,
    note: Note | undefined,
  ): { readonly trace: TraceContext } {
    const { call } = root;
    this.#kept[why] += 1;
    if (note !== undefined) {
      note.kept = why;
      this.#keep([root, ...endedOf(note)], why, note.dropped);
      this.#forget(note);
      return call;
    }
    if (call.isTraced) {
      this.#keep([root], why, 0);
      return call;
    }
    const { random } = this.#options;
    const offsetMs = this.offsetMs(call.startedMs + root.durationMs);
    const part = new LonePart(root, { kept: why, offsetMs, dropped: 0 }, random);
    // What ends below it later has its ids from there.
    call.keptAs = part;
    this.#add(part);
    return part;
  }

  #addBelow(root: CallContext, ended: Ended, reason: KeepReason | undefined): void {
    let note: Note;
    if (root.note instanceof Note) note = root.note;
    else {
      note = new Note();
      // It ended with nothing below it.
      if (root.keptAs instanceof LonePart) note.kept = root.keptAs.facts.kept;
      else if (root.ended) note.kept = root.sampled ? "sampled" : "not";
      root.note = note;
    }
    if (note.kept !== undefined) {
      this.#endedLate(note, { ended, reason });
      return;
    }
    if (reason === "error" || note.reason === undefined) note.reason = reason ?? note.reason;
    const { spansMax, notedMax } = this.#options;
    if (note.size < spansMax && this.#noted < notedMax) {
      ended.before = note.last;
      note.last = ended;
      note.size += 1;
      this.#noted += 1;
      return;
    }
    note.dropped += 1;
    this.#spansDropped += 1;
    if (reason === undefined || note.last === undefined) return;
    ended.before = note.last.before;
    note.last = ended;
  }

  /** What a root noted it notes no longer. */
  #forget(note: Note): void {
    this.#noted -= note.size;
    note.size = 0;
    note.last = undefined;
  }

  /** I2. */
  #endedLate(note: Note, { ended, reason }: LateSpan): void {
    const isKept = note.kept !== undefined && note.kept !== "not";
    const why = isKept ? note.kept : reason;
    if (why === undefined || why === "not") return;
    if (note.late >= lateMax) {
      this.#spansDropped += 1;
      return;
    }
    if (!isKept && !this.#affordable(this.#options.clock.monotonicMs())) {
      this.#overBudget += 1;
      return;
    }
    note.late += 1;
    this.#keep([ended], why, 0);
  }

  #keep(ended: readonly Ended[], kept: KeepReason, dropped: number): void {
    const offsetMs = this.offsetMs(this.#options.clock.monotonicMs());
    this.#add(new KeptPart(ended, { offsetMs, kept, dropped }));
  }

  /**
   * From monotonic time to the wall's, looked at again when it is older than a moment: the wall
   * clock may be set. All times of a part are told by one offset.
   */
  offsetMs(nowMs: number): number {
    if (nowMs - this.#offsetAtMs > offsetAgeMs) {
      const { clock } = this.#options;
      this.#offsetAtMs = nowMs;
      this.#offset = clock.nowMs() - clock.monotonicMs();
    }
    return this.#offset;
  }

  #add(part: TracePart): void {
    const { recent, sinks } = this.#options;
    recent.add(part);
    for (const sink of sinks) {
      try {
        sink.add(part.spans);
      } catch {
        // Counted: whoever watches must not break what is watched.
        this.#failures += 1;
      }
    }
  }
}

/** What a root noted, in the order in which it ended. */
function endedOf(note: Note): Ended[] {
  const ended: Ended[] = [];
  for (let each = note.last; each !== undefined; each = each.before) ended.push(each);
  return ended.reverse();
}
