/**
 * Calls that run here for the node at the other end of a connection.
 *
 * What it owns: what runs, by the other side's number; requests that come in pieces, or that wait
 * until the other side takes answers; the names that the other side has said.
 *
 * V1. What the other side gave up, or cannot hear of any more, is aborted.
 * V2. What breaks the protocol is a RangeError: it costs the peer its connection, and nobody else
 *     anything. What is wrong with one call alone is that call's failure.
 * V3. While too much waits to be taken, nothing new runs: as many requests wait as may run, then
 *     each is refused. Nobody has to stop reading for that, or two nodes could wait for each other.
 */

import type { BanyanError } from "@banyan/kernel";
import { kernelErrors, toBanyanError } from "@banyan/kernel/internal";
import type { CallContext, CallInit, CallRuntime, SpanShape } from "@banyan/kernel/internal";
import type { Endpoint } from "../mesh.ts";
import { byteAt, jsonOf } from "./frame-reader.ts";
import type { Frame } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { HeardNames } from "./names.ts";
import type { CallerContext } from "./names.ts";
import { ParkedRequests } from "./parked-requests.ts";
import { fitsFrame, isLonger, PartialPayloads, tooLong, writePayload } from "./payload.ts";
import { FrameType, PayloadFlag } from "./protocol.ts";
import { isLast, readRequest } from "./request-head.ts";
import type { ReadRequest } from "./request-head.ts";
import { ServedStream } from "./served-stream.ts";

export interface ServedCallsPorts {
  readonly writer: FrameWriter;
  readonly runtime: CallRuntime;
  /** Who runs an operation here. @throws why nobody does */
  readonly resolve: (operation: string, kind: "unary" | "stream") => Endpoint;
  /** Calls that run for this peer at once. */
  readonly callsMax: number;
  readonly messageBytesMax: number;
  /** Bytes that may wait to be written before nothing new runs, and of requests that wait then. */
  readonly outgoingBytesMax: number;
}

/** A request, and what its numbers stood for when it came: they may be given anew meanwhile. */
interface HeardRequest {
  readonly head: ReadRequest;
  readonly operation: string;
  readonly context: CallerContext;
}

/** One that cannot run at once: its pieces are awaited, or room for its answer is. */
interface LateRequest extends HeardRequest {
  /** Its deadline counts from then. */
  readonly heardAtMs: number;
  /** Frames of a stream that were asked for meanwhile. */
  credit: number;
}

/** What a call is begun with. */
interface Beginning {
  readonly endpoint: Endpoint;
  readonly request: unknown;
  readonly init: CallInit;
}

/**
 * Streams ask for no frame while so much waits to be written: credit alone bounds nothing, where
 * the other side gives much of it, and one that has its frames at hand would hold the process.
 */
const streamQueueBytes = 1_048_576;

/** Requests that waited for room and are begun in one turn. */
const parkedPerTurn = 8;

/** Characters of an error's message where the error is too long. */
const messageLengthMax = 10_000;

const serverShape: SpanShape = Object.freeze({
  kind: "server",
  attributes: () => ({ "rpc.system": "banyan" }),
});

export class ServedCalls {
  readonly #ports: ServedCallsPorts;
  readonly #heard = new HeardNames();
  readonly #running = new Map<number, CallContext | undefined>();
  readonly #streams = new Map<number, ServedStream>();
  /** Streams that go on when the other side has taken some of what waits. */
  readonly #held = new Set<ServedStream>();
  /** Requests that come in pieces. */
  readonly #partial: PartialPayloads<LateRequest>;
  /** Requests that wait for room (V3); they count as running. */
  readonly #parked = new ParkedRequests<LateRequest>();
  #nextParked: NodeJS.Immediate | undefined = undefined;
  /** Who waits until there are none of either. */
  readonly #onWhole: (() => void)[] = [];
  #isClosed = false;
  /** So many were refused when they came. */
  refused = 0;

  constructor(ports: ServedCallsPorts) {
    this.#ports = ports;
    this.#partial = new PartialPayloads(ports.messageBytesMax);
  }

  define(frame: Frame): void {
    this.#heard.define(jsonOf(frame));
  }

  request({ call, bytes, start, end }: Frame): void {
    const head = readRequest(bytes, start, end);
    if (this.#running.has(call) || this.#partial.has(call) || call === 0) {
      throw new RangeError("a number that is in use");
    }
    const operation = this.#heard.operations[head.operation];
    const context = this.#heard.contexts[head.context];
    if (operation === undefined || context === undefined) {
      throw new RangeError("a number that was not defined");
    }
    const heard = { head, operation, context };
    if (isLast(head.flags)) {
      const hasNone = (head.flags & PayloadFlag.None) !== 0;
      this.#take(call, heard, hasNone ? undefined : bytes.toString("utf8", head.payloadAt, end));
    } else if (this.#partial.size < this.#ports.callsMax) {
      this.#partial.begin(call, this.#later(heard), bytes.subarray(head.payloadAt, end));
    } else this.#refuseUndone(call, tooMany(this.#ports.callsMax));
  }

  /** A piece of a request. */
  piece(frame: Frame): void {
    const { call, bytes, start, end } = frame;
    const isWhole = isLast(byteAt(frame, 0));
    const whole = this.#partial.add(call, bytes.subarray(start + 1, end), isWhole);
    if (whole === undefined) return;
    if (this.#hasRoom()) this.#runLate(call, whole.of, whole.text);
    else this.#park(call, whole.of, whole.text);
    this.#tellWhole();
  }

  /** Tells when no request is here of which pieces are to come, or that waits for room. */
  whole(told: () => void): void {
    this.#onWhole.push(told);
    this.#tellWhole();
  }

  cancel(frame: Frame): void {
    const { call: number } = frame;
    const isEarly = byteAt(frame, 0) === 1;
    this.#partial.delete(number);
    this.#parked.delete(number);
    this.#tellWhole();
    this.#ports.writer.drop(FrameType.AnswerMore, number);
    const call = this.#running.get(number);
    const stream = this.#streams.get(number);
    this.#running.delete(number);
    this.#streams.delete(number);
    // Whose consumer has enough just ends, and is aborted only where it is being asked for a frame.
    if (isEarly && stream !== undefined) stream.stop();
    else {
      call?.abort(this.#ports.runtime.cancelled(undefined));
      stream?.stop();
    }
  }

  credit(frame: Frame): void {
    const { call, bytes, start } = frame;
    byteAt(frame, 3);
    const frames = bytes.readUInt32LE(start);
    const stream = this.#streams.get(call);
    if (stream !== undefined) stream.grant(frames);
    else {
      const late = this.#partial.of(call) ?? this.#parked.of(call);
      if (late !== undefined) late.credit += frames;
    }
  }

  /** Ends what could not begin before its deadline: nobody waits for it any more. */
  dropLate(nowMs: number): void {
    for (const waiting of [this.#partial, this.#parked]) {
      for (const [number, { head, operation, heardAtMs }] of waiting) {
        if (nowMs - heardAtMs <= head.timeoutMs) continue;
        waiting.delete(number);
        this.#refuseUndone(number, tooLate(operation, head.timeoutMs));
      }
    }
    this.#tellWhole();
  }

  /** Refuses what has not begun to run: the connection is about to be closed. */
  turnAway(): void {
    const waiting = Array.from([...this.#parked, ...this.#partial], ([number]) => number);
    this.#parked.clear();
    this.#partial.clear();
    const leaving = kernelErrors.NODE_DRAINING("The node closes its connections.");
    for (const number of waiting) this.#refuseUndone(number, leaving);
    this.#tellWhole();
  }

  /** The other side has taken some of what waits. */
  roomAgain(): void {
    this.#runParkedSoon();
    if (this.#held.size === 0 || this.#hasMuch()) return;
    const held = [...this.#held];
    this.#held.clear();
    for (const stream of held) stream.sent();
  }

  /** The connection is gone. */
  close(): void {
    this.#isClosed = true;
    this.#partial.clear();
    this.#parked.clear();
    if (this.#nextParked !== undefined) clearImmediate(this.#nextParked);
    this.#tellWhole();
    const gone = this.#ports.runtime.cancelled(undefined);
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const call of running) call?.abort(gone);
    for (const stream of this.#streams.values()) stream.stop();
    this.#streams.clear();
    this.#held.clear();
  }

  #tellWhole(): void {
    if (this.#partial.size > 0 || this.#parked.size > 0) return;
    for (const told of this.#onWhole.splice(0)) told();
  }

  /** A request that came whole: it runs, or waits for room, or is refused (V3). */
  #take(number: number, heard: HeardRequest, text: string | undefined): void {
    if (this.#hasRoom()) this.#run(number, heard, text);
    else this.#park(number, this.#later(heard), text);
  }

  #later(heard: HeardRequest): LateRequest {
    return { ...heard, heardAtMs: this.#ports.runtime.clock.monotonicMs(), credit: 0 };
  }

  #park(number: number, late: LateRequest, text: string | undefined): void {
    const { callsMax, outgoingBytesMax } = this.#ports;
    const length = this.#parked.length + (text?.length ?? 0);
    if (this.#running.size >= callsMax) this.#refuseUndone(number, tooMany(callsMax));
    else if (length > outgoingBytesMax) this.#refuseUndone(number, tooMuch(outgoingBytesMax));
    else {
      this.#running.set(number, undefined);
      this.#parked.add(number, late, text);
    }
  }

  /** A few in a turn, so that what they answer at once is counted before the next ones. */
  #runParkedSoon(): void {
    if (this.#parked.size === 0 || this.#nextParked !== undefined || this.#isFull()) return;
    this.#nextParked = setImmediate(() => {
      this.#nextParked = undefined;
      this.#runParked();
    });
  }

  #runParked(): void {
    for (let count = 0; count < parkedPerTurn && !this.#isFull(); count += 1) {
      const next = this.#parked.next();
      if (next === undefined) break;
      this.#running.delete(next.number);
      this.#runLate(next.number, next.of, next.text);
    }
    this.#tellWhole();
    this.#runParkedSoon();
  }

  /** What it has waited is over for its deadline, and what was asked for meanwhile is asked for. */
  #runLate(number: number, late: LateRequest, text: string | undefined): void {
    const { head, heardAtMs } = late;
    const waitedMs = this.#ports.runtime.clock.monotonicMs() - heardAtMs;
    const timeoutMs = Math.max(0, head.timeoutMs - waitedMs);
    const credit = head.credit === undefined ? undefined : head.credit + late.credit;
    this.#run(number, { ...late, head: { ...head, timeoutMs, credit } }, text);
  }

  #run(number: number, heard: HeardRequest, text: string | undefined): void {
    try {
      const beginning = this.#beginningOf(heard, text, (call) => {
        // At once, or for a stream without credit when there is some.
        if (this.#running.has(number)) this.#running.set(number, call);
      });
      this.#running.set(number, undefined);
      const { credit } = heard.head;
      if (credit === undefined) this.#runUnary(number, beginning);
      else this.#runStream(number, beginning, credit);
    } catch (error) {
      this.#refuseUndone(number, error);
    }
  }

  /** @throws why the call is refused */
  #beginningOf(
    { head, operation, context }: HeardRequest,
    text: string | undefined,
    onOpen: (call: CallContext) => void,
  ): Beginning {
    const { callsMax, resolve } = this.#ports;
    if (this.#running.size >= callsMax) throw tooMany(callsMax);
    const endpoint = resolve(operation, head.credit === undefined ? "unary" : "stream");
    const init: CallInit = {
      // A door of another node passes on what comes from outside: it is held to the contract here.
      mode: context.caller === undefined ? "strict" : "tolerant",
      principal: context.principal,
      caller: context.caller,
      timeoutMs: head.timeoutMs,
      trace: head.trace,
      idempotencyKey: head.idempotencyKey,
      correlationId: head.correlationId,
      shape: serverShape,
      onOpen,
    };
    return { endpoint, request: text === undefined ? undefined : requestOf(text), init };
  }

  #runUnary(number: number, { endpoint, request, init }: Beginning): void {
    endpoint.invoke(request, init).then(
      (value) => this.#succeed(number, value),
      (error: unknown) => this.#fail(number, error),
    );
  }

  #runStream(number: number, beginning: Beginning, credit: number): void {
    const stream: ServedStream = new ServedStream(
      beginning.endpoint,
      { ...beginning, credit },
      {
        item: (value) => this.#give(number, value, stream) && !this.#hold(stream),
        ended: (error) => {
          this.#streams.delete(number);
          this.#held.delete(stream);
          this.#ports.writer.drop(FrameType.AnswerMore, number);
          if (error !== undefined) this.#fail(number, error);
          else if (this.#running.delete(number)) this.#ports.writer.bare(FrameType.End, number);
        },
      },
    );
    this.#streams.set(number, stream);
    stream.start();
  }

  /** Whether it must wait before it asks for its next frame. */
  #hold(stream: ServedStream): boolean {
    if (!this.#hasMuch()) return false;
    this.#held.add(stream);
    return true;
  }

  /** Nothing waits before it, and not too much to be taken. */
  #hasRoom(): boolean {
    return this.#parked.size === 0 && !this.#isFull();
  }

  /** Too much waits for anything new to run. */
  #isFull(): boolean {
    return this.#ports.writer.queuedBytes > this.#ports.outgoingBytesMax;
  }

  #hasMuch(): boolean {
    const { writer, outgoingBytesMax } = this.#ports;
    return writer.queuedBytes > Math.min(streamQueueBytes, outgoingBytesMax);
  }

  #succeed(number: number, value: unknown): void {
    // Cancelled, or the connection is gone: nobody hears it.
    if (!this.#running.has(number)) return;
    try {
      this.#give(number, value);
      this.#running.delete(number);
    } catch (error) {
      this.#fail(number, error);
    }
  }

  /**
   * Answers a call, or gives a frame of a stream; whether it has gone out whole. If not, its stream
   * is told when it has. @throws what cannot be sent
   */
  #give(number: number, value: unknown, stream?: ServedStream): boolean {
    const type = stream === undefined ? FrameType.Answer : FrameType.Item;
    const { writer, messageBytesMax } = this.#ports;
    const text = value === undefined ? undefined : JSON.stringify(value);
    if (text !== undefined && isLonger(text, messageBytesMax)) {
      throw tooLong("The answer", messageBytesMax);
    }
    if (text !== undefined && fitsFrame(text)) {
      // Nearly all of them, and without the closure below.
      writer.begin(type, number, 1 + text.length * 3);
      writer.u8(PayloadFlag.Last);
      writer.text(text);
      writer.finish();
      return true;
    }
    writePayload(writer, text, {
      first: (flags, bytes) => {
        writer.begin(type, number, 1 + bytes);
        writer.u8(flags);
      },
      more: FrameType.AnswerMore,
      call: number,
      onSent: stream === undefined ? undefined : () => stream.sent(),
    });
    return text === undefined;
  }

  #fail(number: number, error: unknown): void {
    const call = this.#running.get(number);
    if (!this.#running.delete(number)) return;
    this.#refuse(number, error, call?.isBegun === false ? { undone: true } : undefined);
  }

  #refuseUndone(number: number, error: unknown): void {
    this.refused += 1;
    this.#running.delete(number);
    this.#refuse(number, error, { undone: true });
  }

  /** @param mark `undone`: the handler was not asked */
  #refuse(number: number, error: unknown, mark?: { readonly undone: true }): void {
    if (this.#isClosed) return;
    const said = { ...fitting(toBanyanError(error)), ...mark };
    this.#ports.writer.json(FrameType.Failure, number, said);
  }
}

/** An error goes in one frame: its details stay behind where they are too long for that. */
function fitting(error: BanyanError): object {
  const said = error.toJSON();
  if (fitsFrame(JSON.stringify(said))) return said;
  const { details: _details, ...short } = said;
  return { ...short, message: short.message.slice(0, messageLengthMax) };
}

/** @throws REQUEST_INVALID */
function requestOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw kernelErrors.REQUEST_INVALID("The request is no JSON.");
  }
}

function tooMany(max: number): BanyanError {
  return kernelErrors.CALL_LIMIT_REACHED(
    `The node runs ${max} calls of this peer, as many as mesh.callsMax allows.`,
    { retryAfterMs: 100 },
  );
}

function tooMuch(max: number): BanyanError {
  return kernelErrors.CALL_LIMIT_REACHED(
    `More than ${max} bytes wait for this peer to take them, and as much of its requests.`,
    { retryAfterMs: 100 },
  );
}

function tooLate(operation: string, allowedMs: number): BanyanError {
  return kernelErrors.CALL_DEADLINE_EXCEEDED(
    `The request of ${operation} could not begin within ${Math.round(allowedMs)} ms; nothing was done.`,
    { details: { operation, allowedMs: Math.round(allowedMs) } },
  );
}
