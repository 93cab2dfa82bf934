/** The binary head of a request: which operation, who calls, how long it may take, its trace. */

import type { TraceContext } from "@banyan/kernel";
import type { FrameWriter } from "./frame-writer.ts";
import { correlationLengthMax, FrameType, PayloadFlag } from "./protocol.ts";
import { endless, RequestFlag, stateLengthMax } from "./protocol.ts";

/** A request without its payload. */
export interface RequestHead {
  /** Numbers that were defined on this connection before. */
  readonly operation: number;
  readonly context: number;
  /** Milliseconds left; `Infinity` for a call that nothing ends. */
  readonly timeoutMs: number;
  readonly trace: TraceContext | undefined;
  readonly idempotencyKey: string | undefined;
  /** What the events belong to that are published below the call. */
  readonly correlationId: string | undefined;
  /** Of a stream: so many frames may come unasked. */
  readonly credit: number | undefined;
}

/** A UTF-16 unit is at most three bytes of UTF-8. */
const correlationBytesMax = correlationLengthMax * 3;
const stateBytesMax = stateLengthMax * 3;
/** Bytes of the longest head; a key is at most 255 bytes. */
const requestHeadMax = 9 + 27 + stateBytesMax + 1 + 255 + 2 + correlationBytesMax + 2;

const traceBit = { sampled: 1, random: 2 } as const;

/** Writes the head; the payload comes behind it, of at most `bytes`. */
export function beginRequest(
  writer: FrameWriter,
  head: RequestHead,
  payload: { readonly call: number; readonly flags: number; readonly bytes: number },
): void {
  const { operation, context, timeoutMs, trace, idempotencyKey, credit } = head;
  const correlationId = sendable(head.correlationId, correlationLengthMax);
  writer.begin(FrameType.Request, payload.call, requestHeadMax + payload.bytes);
  writer.u16(operation);
  writer.u16(context);
  writer.u8(
    payload.flags |
      (trace === undefined ? 0 : RequestFlag.Trace) |
      (idempotencyKey === undefined ? 0 : RequestFlag.Key) |
      (correlationId === undefined ? 0 : RequestFlag.Correlation) |
      (credit === undefined ? 0 : RequestFlag.Stream),
  );
  writer.u32(timeoutMs === Infinity ? endless : Math.min(Math.ceil(timeoutMs), endless - 1));
  if (trace !== undefined) {
    writer.hex(trace.traceId, 16);
    writer.hex(trace.spanId, 8);
    writer.u8(
      (trace.sampled ? traceBit.sampled : 0) | (trace.random === true ? traceBit.random : 0),
    );
    sizedText(writer, sendable(trace.state, stateLengthMax) ?? "");
  }
  if (idempotencyKey !== undefined) writer.short(idempotencyKey);
  if (correlationId !== undefined) sizedText(writer, correlationId);
  if (credit !== undefined) writer.u16(credit);
}

/** What was read, and where the payload begins. */
export interface ReadRequest extends RequestHead {
  readonly flags: number;
  readonly payloadAt: number;
}

/** @throws RangeError for one that ends within its head */
export function readRequest(bytes: Buffer, start: number, end: number): ReadRequest {
  const frame = bytes.subarray(start, end);
  const operation = frame.readUInt16LE(0);
  const context = frame.readUInt16LE(2);
  const flags = frame.readUInt8(4);
  const leftMs = frame.readUInt32LE(5);
  let at = 9;
  let trace: TraceContext | undefined;
  if ((flags & RequestFlag.Trace) !== 0) {
    const bits = frame.readUInt8(at + 24);
    const length = frame.readUInt16LE(at + 25);
    if (length > stateBytesMax) throw new RangeError("a trace's state that is too long");
    const state = textAt(frame, at + 27, length);
    trace = {
      traceId: frame.toString("hex", at, at + 16),
      spanId: frame.toString("hex", at + 16, at + 24),
      sampled: (bits & traceBit.sampled) !== 0,
      random: (bits & traceBit.random) !== 0,
      state: length === 0 ? undefined : state,
    };
    at += 27 + length;
  }
  let idempotencyKey: string | undefined;
  if ((flags & RequestFlag.Key) !== 0) {
    const length = frame.readUInt8(at);
    idempotencyKey = textAt(frame, at + 1, length);
    at += 1 + length;
  }
  let correlationId: string | undefined;
  if ((flags & RequestFlag.Correlation) !== 0) {
    const length = frame.readUInt16LE(at);
    if (length > correlationBytesMax) throw new RangeError("a correlation id that is too long");
    correlationId = textAt(frame, at + 2, length);
    at += 2 + length;
  }
  let credit: number | undefined;
  if ((flags & RequestFlag.Stream) !== 0) {
    credit = frame.readUInt16LE(at);
    at += 2;
  }
  const timeoutMs = leftMs === endless ? Infinity : leftMs;
  const payloadAt = start + at;
  const said = { operation, context, timeoutMs, trace, idempotencyKey, correlationId, credit };
  return { ...said, flags, payloadAt };
}

/** What is too long stays behind, as a correlation id does where an event comes in. */
function sendable(text: string | undefined, lengthMax: number): string | undefined {
  return text === undefined || text.length > lengthMax ? undefined : text;
}

/** A text behind its length in two bytes. */
function sizedText(writer: FrameWriter, text: string): void {
  writer.u16(Buffer.byteLength(text));
  writer.text(text);
}

function textAt(frame: Buffer, at: number, length: number): string {
  if (at + length > frame.length) throw new RangeError("a text ends behind its frame");
  return frame.toString("utf8", at, at + length);
}

export function isLast(flags: number): boolean {
  return (flags & PayloadFlag.Last) !== 0;
}
