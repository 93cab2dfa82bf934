/**
 * One connection between two nodes, after its handshake: calls in both directions.
 *
 * What it owns: the socket; the calls this side has made and awaits; those it runs for the other.
 * What may interrupt it: the socket's end at any moment, a peer that breaks the protocol, a call's
 * end on either side.
 *
 * L1. Every call made ends once: answered, failed, or told that the connection is gone.
 * L2. What the other side gave up, or cannot hear of any more, is aborted here.
 * L3. A peer that breaks the protocol loses this connection, and nothing else happens.
 */

import type { Socket } from "node:net";
import type { BanyanError } from "@banyan/kernel";
import { kernelErrors, parseWireError, toBanyanError } from "@banyan/kernel/internal";
import type { CallContext, CallInit, CallRuntime, SpanShape } from "@banyan/kernel/internal";
import { meshErrors } from "../errors.ts";
import type { Endpoint } from "../mesh.ts";
import type { FrameReader } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { HeardNames, SaidNames } from "./names.ts";
import { PartialPayload, writePayload } from "./payload.ts";
import { FrameType, PayloadFlag } from "./protocol.ts";
import { beginRequest, isLast, readRequest } from "./request-head.ts";
import type { ReadRequest } from "./request-head.ts";
import { ServedStream } from "./served-stream.ts";

/** Who waits for what comes of a call. */
export interface Awaiting {
  answered(value: unknown): void;
  failed(error: BanyanError): void;
  /** A frame of a stream. */
  item?(value: unknown): void;
  /** The end of a stream. */
  ended?(): void;
}

/** A call on its way out. */
export interface OutgoingCall {
  readonly operation: string;
  readonly call: CallContext;
  /** Its request as JSON; `undefined`: it has none. */
  readonly text: string | undefined;
  /** Of a stream: so many frames may come unasked. */
  readonly credit: number | undefined;
}

export interface WireLinkOptions {
  readonly socket: Socket;
  readonly reader: FrameReader;
  readonly writer: FrameWriter;
  readonly runtime: CallRuntime;
  /** Id of the node at the other end. */
  readonly peer: string;
  /** Who runs an operation here. @throws why nobody does */
  readonly resolve: (operation: string, kind: "unary" | "stream") => Endpoint;
  /** Calls this node runs for one peer at once. */
  readonly callsMax: number;
  /** Bytes of a message, either way. */
  readonly messageBytesMax: number;
  /** Bytes that may wait to be written before nothing more is read. */
  readonly outgoingBytesMax: number;
  /** Told once; the reason where it was not an orderly end. */
  readonly onClose: (reason: Error | undefined) => void;
  /** The other side takes no new calls. */
  readonly onGoodbye: () => void;
}

/** A request that comes in pieces. */
interface PartialRequest {
  readonly head: ReadRequest;
  readonly payload: PartialPayload;
}

/** Call numbers go round; long before that the old ones are over. */
const numberMax = 0xffff_fff0;

const serverShape: SpanShape = Object.freeze({
  kind: "server",
  attributes: () => ({ "rpc.system": "banyan" }),
});

export class WireLink {
  readonly peer: string;
  readonly #options: WireLinkOptions;
  readonly #writer: FrameWriter;
  readonly #said = new SaidNames();
  readonly #heard = new HeardNames();
  /** Calls made here, by number. */
  readonly #awaiting = new Map<number, Awaiting>();
  readonly #partialAnswers = new Map<number, PartialPayload>();
  /** Calls run here, by the other side's number. */
  readonly #running = new Map<number, CallContext | undefined>();
  readonly #streams = new Map<number, ServedStream>();
  readonly #partialRequests = new Map<number, PartialRequest>();
  #partialBytes = 0;
  /** What was to be told when each ping is answered, in their order. */
  readonly #onPong: (() => void)[] = [];
  #number = 0;
  #isClosed = false;
  #isPaused = false;
  #isLeaving = false;
  #heardAtMs: number;
  #drainedAtMs: number;

  constructor(options: WireLinkOptions) {
    this.#options = options;
    this.peer = options.peer;
    this.#writer = options.writer;
    this.#heardAtMs = options.runtime.clock.monotonicMs();
    this.#drainedAtMs = this.#heardAtMs;
  }

  /** Calls made here that have not ended. */
  get inFlight(): number {
    return this.#awaiting.size;
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** The other side takes new calls, as far as is known. */
  get takesCalls(): boolean {
    return !this.#isClosed && !this.#isLeaving;
  }

  /** More waits to be written than may. */
  get isFull(): boolean {
    return this.#writer.queuedBytes > this.#options.outgoingBytesMax;
  }

  /** Milliseconds since anything was heard of the other side. */
  silentMs(nowMs: number): number {
    return nowMs - this.#heardAtMs;
  }

  /** Milliseconds for which the other side has taken nothing of what waits for it. */
  stalledMs(nowMs: number): number {
    return this.#writer.queuedBytes === 0 ? 0 : nowMs - this.#drainedAtMs;
  }

  /** Sends a call; answers its number. @throws before anything of it is sent */
  send({ operation, call, text, credit }: OutgoingCall, awaiting: Awaiting): number {
    if (text !== undefined && text.length > this.#options.messageBytesMax) {
      throw tooLong("The request", operation, this.#options.messageBytesMax);
    }
    const number = this.#nextNumber();
    const head = {
      operation: this.#said.operation(operation, (as) => this.#define({ number: as, operation })),
      context: this.#said.context(call, (as) => {
        const { caller, principal } = call;
        this.#define({ number: as, caller, principal });
      }),
      timeoutMs: call.deadlineMs === Infinity ? Infinity : call.remainingMs(),
      trace: call.traceBelow,
      idempotencyKey: call.idempotencyKey,
      credit,
    };
    this.#awaiting.set(number, awaiting);
    writePayload(this.#writer, text, {
      first: (flags, bytes) => beginRequest(this.#writer, number, head, { flags, bytes }),
      more: FrameType.RequestMore,
      call: number,
    });
    return number;
  }

  /** Nobody here waits for it any more. `early`: its consumer has enough, which is no failure. */
  giveUp(number: number, early: boolean): void {
    if (!this.#awaiting.delete(number)) return;
    this.#partialAnswers.delete(number);
    if (this.#isClosed) return;
    this.#writer.begin(FrameType.Cancel, number, 1);
    this.#writer.u8(early ? 1 : 0);
    this.#writer.finish();
  }

  /** So many more frames of a stream may come. */
  credit(number: number, frames: number): void {
    if (this.#isClosed) return;
    this.#writer.begin(FrameType.Credit, number, 4);
    this.#writer.u32(frames);
    this.#writer.finish();
  }

  ping(): void {
    this.#writer.bare(FrameType.Ping, 0);
    this.#onPong.push(nothing);
  }

  /**
   * This side takes no new calls any more; what runs is finished. Resolves when the other side has
   * read that, and with it all that it sent before is here; or when the connection has ended.
   */
  goodbye(reason: string): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#writer.json(FrameType.Goodbye, 0, { reason });
    this.#writer.bare(FrameType.Ping, 0);
    return new Promise((resolve) => this.#onPong.push(resolve));
  }

  /** Takes a frame from the reader. */
  take(type: number, call: number, bytes: Buffer, start: number, end: number): void {
    switch (type) {
      case FrameType.Request:
        this.#request(call, bytes, start, end);
        break;
      case FrameType.Answer:
        this.#answer(call, bytes, start, end);
        break;
      case FrameType.Failure:
        this.#failure(call, jsonOf(bytes, start, end));
        break;
      case FrameType.Item:
        this.#item(call, bytes, start, end);
        break;
      default:
        this.#takeOther(type, call, bytes.subarray(start, end));
    }
  }

  /** Bytes have come. */
  heard(): void {
    this.#heardAtMs = this.#options.runtime.clock.monotonicMs();
    if (!this.isFull || this.#isPaused) return;
    // Whoever asks so much and takes so little is not read until it takes.
    this.#isPaused = true;
    this.#options.socket.pause();
  }

  /** The socket has taken what waited. */
  drained(): void {
    this.#drainedAtMs = this.#options.runtime.clock.monotonicMs();
    if (!this.#isPaused || this.isFull) return;
    this.#isPaused = false;
    this.#options.socket.resume();
  }

  /** Ends the connection. */
  close(reason?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { socket, runtime, onClose } = this.#options;
    this.#writer.close();
    if (reason === undefined) socket.end();
    else socket.destroy();
    const awaiting = [...this.#awaiting.values()];
    this.#awaiting.clear();
    this.#partialAnswers.clear();
    this.#partialRequests.clear();
    for (const each of awaiting) each.failed(lost(this.peer, reason));
    const gone = runtime.cancelled(undefined);
    const running = [...this.#running.values()];
    this.#running.clear();
    for (const call of running) call?.abort(gone);
    for (const stream of this.#streams.values()) stream.stop(false);
    this.#streams.clear();
    for (const told of this.#onPong.splice(0)) told();
    onClose(reason);
  }

  #takeOther(type: number, call: number, rest: Buffer): void {
    switch (type) {
      case FrameType.Define:
        this.#heard.define(jsonOf(rest, 0, rest.length));
        break;
      case FrameType.RequestMore:
        this.#requestMore(call, rest);
        break;
      case FrameType.Cancel:
        this.#cancel(call, rest.readUInt8(0) === 1);
        break;
      case FrameType.Credit:
        this.#streams.get(call)?.grant(rest.readUInt32LE(0));
        break;
      case FrameType.AnswerMore:
        this.#answerPiece(call, rest);
        break;
      case FrameType.End: {
        const awaiting = this.#awaiting.get(call);
        this.#awaiting.delete(call);
        awaiting?.ended?.();
        break;
      }
      case FrameType.Ping:
        this.#writer.bare(FrameType.Pong, 0);
        break;
      case FrameType.Pong:
        this.#onPong.shift()?.();
        break;
      case FrameType.Goodbye:
        this.#isLeaving = true;
        this.#options.onGoodbye();
        break;
      default:
        throw new RangeError(`a frame of type ${type}`);
    }
  }

  // Calls that the other side makes.

  #request(number: number, bytes: Buffer, start: number, end: number): void {
    const head = readRequest(bytes, start, end);
    if (this.#running.has(number) || this.#partialRequests.has(number) || number === 0) {
      throw new RangeError("a number that is in use");
    }
    if (isLast(head.flags)) {
      const hasNone = (head.flags & PayloadFlag.None) !== 0;
      this.#run(number, head, hasNone ? undefined : bytes.toString("utf8", head.payloadAt, end));
      return;
    }
    const payload = new PartialPayload();
    this.#partialRequests.set(number, { head, payload });
    this.#keepPiece(payload, bytes.subarray(head.payloadAt, end));
  }

  #requestMore(number: number, rest: Buffer): void {
    const partial = this.#partialRequests.get(number);
    if (partial === undefined) return; // it was cancelled, or refused
    this.#keepPiece(partial.payload, rest.subarray(1));
    if (!isLast(rest.readUInt8(0))) return;
    this.#partialRequests.delete(number);
    this.#partialBytes -= partial.payload.bytes;
    this.#run(number, partial.head, partial.payload.text());
  }

  /** @throws RangeError for a peer that sends more than may come in pieces */
  #keepPiece(payload: PartialPayload, piece: Buffer): void {
    const { messageBytesMax } = this.#options;
    payload.add(piece, 0, piece.length);
    this.#partialBytes += piece.length;
    if (payload.bytes > messageBytesMax) throw new RangeError("a message that is too long");
    if (this.#partialBytes > messageBytesMax * 4) throw new RangeError("too much in pieces");
  }

  #run(number: number, head: ReadRequest, text: string | undefined): void {
    let call: CallContext | undefined;
    try {
      if (this.#running.size >= this.#options.callsMax) throw tooMany(this.#options.callsMax);
      const operation = this.#heard.operations[head.operation];
      const context = this.#heard.contexts[head.context];
      if (operation === undefined || context === undefined) {
        throw new RangeError("a number that was not defined");
      }
      const endpoint = this.#options.resolve(
        operation,
        head.credit === undefined ? "unary" : "stream",
      );
      const request: unknown = text === undefined ? undefined : JSON.parse(text);
      const init: CallInit = {
        mode: "tolerant",
        principal: context.principal,
        caller: context.caller,
        timeoutMs: head.timeoutMs,
        trace: head.trace,
        idempotencyKey: head.idempotencyKey,
        shape: serverShape,
        onOpen: (opened) => {
          call = opened;
          if (this.#isClosed) opened.abort(this.#options.runtime.cancelled(undefined));
        },
      };
      this.#running.set(number, undefined);
      if (head.credit === undefined) this.#runUnary(number, endpoint, { request, init });
      else this.#runStream(number, endpoint, { request, init, credit: head.credit });
      if (this.#running.has(number)) this.#running.set(number, call);
    } catch (error) {
      if (error instanceof RangeError) throw error;
      this.#fail(number, error instanceof SyntaxError ? noJson() : error);
    }
  }

  #runUnary(
    number: number,
    endpoint: Endpoint,
    { request, init }: { readonly request: unknown; readonly init: CallInit },
  ): void {
    endpoint.invoke(request, init).then(
      (value) => this.#succeed(number, value),
      (error: unknown) => this.#fail(number, error),
    );
  }

  #runStream(
    number: number,
    endpoint: Endpoint,
    how: { readonly request: unknown; readonly init: CallInit; readonly credit: number },
  ): void {
    const stream = new ServedStream(endpoint, how, {
      item: (value) => this.#give(number, FrameType.Item, value),
      ended: (error) => {
        this.#streams.delete(number);
        if (error !== undefined) this.#fail(number, error);
        else if (this.#running.delete(number)) this.#writer.bare(FrameType.End, number);
      },
    });
    this.#streams.set(number, stream);
    stream.start();
  }

  #succeed(number: number, value: unknown): void {
    // Cancelled, or the connection is gone: nobody hears it.
    if (!this.#running.has(number)) return;
    try {
      this.#give(number, FrameType.Answer, value);
      this.#running.delete(number);
    } catch (error) {
      this.#fail(number, error);
    }
  }

  /** @throws what cannot be sent */
  #give(number: number, type: number, value: unknown): void {
    const text = value === undefined ? undefined : JSON.stringify(value);
    if (text !== undefined && text.length > this.#options.messageBytesMax) {
      throw tooLong("The answer", "the operation", this.#options.messageBytesMax);
    }
    const writer = this.#writer;
    writePayload(writer, text, {
      first: (flags, bytes) => {
        writer.begin(type, number, 1 + bytes);
        writer.u8(flags);
      },
      more: FrameType.AnswerMore,
      call: number,
    });
  }

  #fail(number: number, error: unknown): void {
    if (!this.#running.delete(number) && this.#isClosed) return;
    this.#writer.json(FrameType.Failure, number, toBanyanError(error));
  }

  #cancel(number: number, early: boolean): void {
    const partial = this.#partialRequests.get(number);
    if (partial !== undefined) this.#partialBytes -= partial.payload.bytes;
    this.#partialRequests.delete(number);
    const call = this.#running.get(number);
    const stream = this.#streams.get(number);
    this.#running.delete(number);
    this.#streams.delete(number);
    stream?.stop(early);
    if (!early || stream === undefined) call?.abort(this.#options.runtime.cancelled(undefined));
  }

  // What comes of calls that were made here.

  #answer(number: number, bytes: Buffer, start: number, end: number): void {
    const value = this.#payload(number, bytes, start, end);
    if (value === undefined) return;
    const awaiting = this.#awaiting.get(number);
    this.#awaiting.delete(number);
    awaiting?.answered(value.whole);
  }

  #item(number: number, bytes: Buffer, start: number, end: number): void {
    const value = this.#payload(number, bytes, start, end);
    if (value !== undefined) this.#awaiting.get(number)?.item?.(value.whole);
  }

  /** What a payload says; `undefined` while its pieces are awaited. */
  #payload(
    number: number,
    bytes: Buffer,
    start: number,
    end: number,
  ): { readonly whole: unknown } | undefined {
    if (start >= end) throw new RangeError("a payload without flags");
    const flags = bytes[start] ?? 0;
    if (isLast(flags)) {
      if ((flags & PayloadFlag.None) !== 0) return { whole: undefined };
      return { whole: jsonOf(bytes, start + 1, end) };
    }
    if (!this.#awaiting.has(number)) return undefined;
    const partial = new PartialPayload();
    partial.add(bytes, start + 1, end);
    this.#partialAnswers.set(number, partial);
    return undefined;
  }

  #answerPiece(number: number, rest: Buffer): void {
    const partial = this.#partialAnswers.get(number);
    if (partial === undefined) return; // nobody waits for it any more
    partial.add(rest, 1, rest.length);
    if (partial.bytes > this.#options.messageBytesMax) {
      throw new RangeError("a message that is too long");
    }
    if (!isLast(rest.readUInt8(0))) return;
    this.#partialAnswers.delete(number);
    const value: unknown = JSON.parse(partial.text());
    const awaiting = this.#awaiting.get(number);
    if (awaiting?.item !== undefined) awaiting.item(value);
    else {
      this.#awaiting.delete(number);
      awaiting?.answered(value);
    }
  }

  #failure(number: number, said: unknown): void {
    const awaiting = this.#awaiting.get(number);
    this.#awaiting.delete(number);
    this.#partialAnswers.delete(number);
    awaiting?.failed(parseWireError(said) ?? unreadableFailure(this.peer));
  }

  #define(said: object): void {
    this.#writer.json(FrameType.Define, 0, said);
  }

  #nextNumber(): number {
    do this.#number = this.#number >= numberMax ? 1 : this.#number + 1;
    while (this.#awaiting.has(this.#number));
    return this.#number;
  }
}

function nothing(): void {}

function jsonOf(bytes: Buffer, start: number, end: number): unknown {
  return JSON.parse(bytes.toString("utf8", start, end));
}

function tooLong(what: string, operation: string, max: number): BanyanError {
  return meshErrors.MESH_MESSAGE_TOO_LONG(
    `${what} of ${operation} is longer than ${max} bytes, which is what mesh.messageBytesMax allows; send less, or a stream.`,
  );
}

function tooMany(max: number): BanyanError {
  return kernelErrors.CALL_LIMIT_REACHED(
    `The node runs ${max} calls of this peer, as many as mesh.callsMax allows.`,
    { retryAfterMs: 100 },
  );
}

function noJson(): BanyanError {
  return kernelErrors.REQUEST_INVALID("The request is no JSON.");
}

function lost(peer: string, reason: Error | undefined): BanyanError {
  return meshErrors.MESH_OUTCOME_UNKNOWN(
    `The connection to node ${peer} ended before the answer came; whether the call took effect is not known.`,
    { cause: reason },
  );
}

function unreadableFailure(peer: string): BanyanError {
  return kernelErrors.INTERNAL(`Node ${peer} answered with an error that cannot be read.`);
}
