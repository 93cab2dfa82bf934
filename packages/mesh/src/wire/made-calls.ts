/**
 * Calls that this side of a connection has made: each until it is answered, failed or given up.
 *
 * What it owns: who waits for what, by number; the names that this side has said.
 *
 * M1. Every call ends once: answered, failed, or told that the connection is gone.
 * M2. A number is used again only when its call is over.
 */

import type { BanyanError } from "@banyan/kernel";
import { assertIdempotencyKey, kernelErrors, parseWireError } from "@banyan/kernel/internal";
import type { CallContext } from "@banyan/kernel/internal";
import { meshErrors } from "../errors.ts";
import { markUndone } from "../undone.ts";
import { byteAt, jsonOf } from "./frame-reader.ts";
import type { Frame } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { nameLengthMax, SaidNames } from "./names.ts";
import { fitsFrame, isLonger, PartialPayloads, tooLong, writePayload } from "./payload.ts";
import { FrameType, PayloadFlag, pieceBytes } from "./protocol.ts";
import { beginRequest, isLast } from "./request-head.ts";

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

export interface MadeCallsPorts {
  readonly writer: FrameWriter;
  readonly messageBytesMax: number;
  /** Of the other node. */
  readonly peer: string;
}

/** Call numbers go round; long before that the old ones are over. */
const numberMax = 0xffff_fff0;

export class MadeCalls {
  readonly #ports: MadeCallsPorts;
  readonly #said = new SaidNames();
  readonly #awaiting = new Map<number, Awaiting>();
  readonly #partial: PartialPayloads<Awaiting>;
  #number = 0;
  #isClosed = false;

  constructor(ports: MadeCallsPorts) {
    this.#ports = ports;
    this.#partial = new PartialPayloads(ports.messageBytesMax);
  }

  /** How many have not ended. */
  get size(): number {
    return this.#awaiting.size;
  }

  /** Sends a call; answers its number. @throws before anything of it is sent */
  send({ operation, call, text, credit }: OutgoingCall, awaiting: Awaiting): number {
    const { writer, messageBytesMax } = this.#ports;
    if (this.#isClosed) throw closed(this.#ports.peer);
    if (text !== undefined && isLonger(text, messageBytesMax)) {
      throw tooLong(`The request of ${operation}`, messageBytesMax);
    }
    // Here, and not where it runs alone: what comes from a door may be of any length.
    if (call.idempotencyKey !== undefined) assertIdempotencyKey(call.idempotencyKey);
    const number = this.#nextNumber();
    const head = {
      operation: this.#said.operation(operation, (as) => {
        if (operation.length > nameLengthMax) throw tooLong("The operation's name", nameLengthMax);
        this.#define({ number: as, operation });
      }),
      context: this.#said.context(call, (as) => {
        const { caller, principal } = call;
        this.#define({ number: as, caller, principal });
      }),
      timeoutMs: call.deadlineMs === Infinity ? Infinity : call.remainingMs(),
      trace: call.traceBelow,
      idempotencyKey: call.idempotencyKey,
      correlationId: call.correlationId,
      credit,
    };
    writePayload(writer, text, {
      first: (flags, bytes) => beginRequest(writer, head, { call: number, flags, bytes }),
      more: FrameType.RequestMore,
      call: number,
    });
    this.#awaiting.set(number, awaiting);
    return number;
  }

  /** Nobody here waits for it any more. `early`: its consumer has enough, which is no failure. */
  giveUp(number: number, early: boolean): void {
    if (!this.#awaiting.delete(number)) return;
    this.#partial.delete(number);
    if (this.#isClosed) return;
    const { writer } = this.#ports;
    writer.drop(FrameType.RequestMore, number);
    writer.begin(FrameType.Cancel, number, 1);
    writer.u8(early ? 1 : 0);
    writer.finish();
  }

  /**
   * So many more frames of a stream may come. Where it is several, it is said at once: after the
   * frames that are here were taken, the other side would have stood still meanwhile.
   */
  credit(number: number, frames: number): void {
    if (this.#isClosed) return;
    const { writer } = this.#ports;
    writer.begin(FrameType.Credit, number, 4);
    writer.u32(frames);
    writer.finish();
    if (frames > 1) writer.flush();
  }

  answer(frame: Frame): void {
    const value = this.#valueOf(frame);
    if (value === undefined) return;
    const awaiting = this.#awaiting.get(frame.call);
    this.#awaiting.delete(frame.call);
    awaiting?.answered(value.whole);
  }

  item(frame: Frame): void {
    const value = this.#valueOf(frame);
    if (value !== undefined) this.#awaiting.get(frame.call)?.item?.(value.whole);
  }

  /** A piece of an answer, or of a frame of a stream. */
  piece(frame: Frame): void {
    const { bytes, call, start, end } = frame;
    const isWhole = isLast(byteAt(frame, 0));
    const whole = this.#partial.add(call, bytes.subarray(start + 1, end), isWhole);
    if (whole === undefined) return;
    const value: unknown = JSON.parse(whole.text);
    const awaiting = whole.of;
    if (awaiting.item !== undefined) awaiting.item(value);
    else {
      this.#awaiting.delete(call);
      awaiting.answered(value);
    }
  }

  failure(frame: Frame): void {
    // What is no JSON ends the connection, and with it all that waits.
    const said = jsonOf(frame);
    const awaiting = this.#awaiting.get(frame.call);
    this.#awaiting.delete(frame.call);
    this.#partial.delete(frame.call);
    // Refused before it was there.
    this.#ports.writer.drop(FrameType.RequestMore, frame.call);
    const error = parseWireError(said) ?? unreadableFailure(this.#ports.peer);
    awaiting?.failed(isMarkedUndone(said) ? markUndone(error) : error);
  }

  end({ call }: Frame): void {
    const awaiting = this.#awaiting.get(call);
    this.#awaiting.delete(call);
    this.#partial.delete(call);
    awaiting?.ended?.();
  }

  /** The connection is gone. */
  close(reason: Error | undefined): void {
    this.#isClosed = true;
    const awaiting = [...this.#awaiting.values()];
    this.#awaiting.clear();
    this.#partial.clear();
    for (const each of awaiting) each.failed(lost(this.#ports.peer, reason));
  }

  /** What a payload says; `undefined` while its pieces are awaited. */
  #valueOf(frame: Frame): { readonly whole: unknown } | undefined {
    const { call, bytes, start, end } = frame;
    const flags = byteAt(frame, 0);
    if (isLast(flags)) {
      if ((flags & PayloadFlag.None) !== 0) return { whole: undefined };
      const whole: unknown = JSON.parse(bytes.toString("utf8", start + 1, end));
      return { whole };
    }
    const awaiting = this.#awaiting.get(call);
    if (awaiting !== undefined) this.#partial.begin(call, awaiting, bytes.subarray(start + 1, end));
    return undefined;
  }

  /** @throws MESH_MESSAGE_TOO_LONG for a principal that no frame holds */
  #define(said: object): void {
    if (!fitsFrame(JSON.stringify(said))) throw tooLong("Who calls", pieceBytes);
    this.#ports.writer.json(FrameType.Define, 0, said);
  }

  #nextNumber(): number {
    do this.#number = this.#number >= numberMax ? 1 : this.#number + 1;
    while (this.#awaiting.has(this.#number));
    return this.#number;
  }
}

function isMarkedUndone(said: unknown): boolean {
  return typeof said === "object" && said !== null && "undone" in said && said.undone === true;
}

/** Nothing of it was sent. */
function closed(peer: string): BanyanError {
  return markUndone(
    meshErrors.MESH_PEER_UNREACHABLE(`There is no connection to node ${peer} any more.`),
  );
}

function lost(peer: string, reason: Error | undefined): BanyanError {
  return meshErrors.MESH_OUTCOME_UNKNOWN(
    `The connection to node ${peer} ended before the answer came; ` +
      "whether the call took effect is not known.",
    { cause: reason },
  );
}

function unreadableFailure(peer: string): BanyanError {
  return kernelErrors.INTERNAL(`Node ${peer} answered with an error that cannot be read.`);
}
