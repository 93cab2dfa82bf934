/**
 * One connection between two nodes, after its handshake: calls in both directions.
 *
 * What it owns: the socket, the calls made and those served on it.
 * What may interrupt it: the socket's end at any moment, a peer that breaks the protocol.
 *
 * L1. A peer that breaks the protocol loses this connection, and nothing else happens.
 * L2. Whoever takes nothing while it goes on to make this side answer is not read until it takes;
 *     meanwhile it is not silent. Answers to this side are read but for such a flood.
 * L3. Who closes waits only while what is left is being taken.
 */

import type { Socket } from "node:net";
import type { InstanceRecord } from "../instance-record.ts";
import type { Frame } from "./frame-reader.ts";
import type { FrameWriter } from "./frame-writer.ts";
import { HeardAbout } from "./heard-about.ts";
import { MadeCalls } from "./made-calls.ts";
import type { Awaiting, OutgoingCall } from "./made-calls.ts";
import { fitsFrame, tooLong } from "./payload.ts";
import { FrameType, pieceBytes } from "./protocol.ts";
import { RoomQueue } from "./room-queue.ts";
import type { Place } from "./room-queue.ts";
import { ServedCalls } from "./served-calls.ts";
import type { ServedCallsPorts } from "./served-calls.ts";

export interface WireLinkOptions extends ServedCallsPorts {
  readonly socket: Socket;
  /** Id of the node at the other end. */
  readonly peer: string;
  /** Told once; the reason where it was not an orderly end. */
  readonly onClose: (reason: Error | undefined) => void;
  /** The other side says what it is; `undefined`: it runs nothing for others yet. */
  readonly onAbout: (record: InstanceRecord | undefined) => void;
  /** The other side takes no new calls. */
  readonly onGoodbye: () => void;
}

/** Who closes waits so long for the other side to take something of what is left, or to end. */
const closeMs = 1000;
/** And so often. */
const closesMax = 10;
/** Calls wait for room while they are not longer than so many times what may wait to be written. */
const waitingTimes = 4;
/** While much waits, so many pings and refused requests are answered: some 5 MB of answers. */
const repliesWhileFullMax = 20_000;

export class WireLink {
  readonly peer: string;
  readonly #options: WireLinkOptions;
  readonly #writer: FrameWriter;
  readonly #made: MadeCalls;
  readonly #served: ServedCalls;
  /** What was to be told when each ping is answered, in their order. */
  readonly #onPong: (() => void)[] = [];
  readonly #about: HeardAbout;
  readonly #room: RoomQueue;
  #isClosed = false;
  #isPaused = false;
  #pongs = 0;
  /** Pongs and refusals before more waited to be written than may. */
  #repliesBefore = 0;
  #isLeaving = false;
  #heardAtMs: number;
  /** When the other side took something, or something began to wait for it. */
  #progressAtMs: number;

  constructor(options: WireLinkOptions) {
    this.#options = options;
    this.peer = options.peer;
    this.#writer = options.writer;
    this.#made = new MadeCalls(options);
    this.#served = new ServedCalls(options);
    this.#about = new HeardAbout(options.peer, options.runtime.clock);
    this.#room = new RoomQueue({
      hasRoom: () => !this.isFull,
      lengthMax: options.outgoingBytesMax * waitingTimes,
    });
    this.#heardAtMs = options.runtime.clock.monotonicMs();
    this.#progressAtMs = this.#heardAtMs;
    this.#writer.onProgress = () => {
      this.#progressAtMs = options.runtime.clock.monotonicMs();
      this.#readAgain();
      this.#served.roomAgain();
      this.#room.wake();
    };
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The other side takes new calls, as far as is known. */
  get takesCalls(): boolean {
    return !this.#isClosed && !this.#isLeaving;
  }

  /** Bytes that wait to be taken. */
  get queuedBytes(): number {
    return this.#writer.queuedBytes;
  }

  /** More waits to be written than may. */
  get isFull(): boolean {
    return this.#writer.queuedBytes > this.#options.outgoingBytesMax;
  }

  /** A call can go out at once: it is not full, and none waits before it. */
  get hasRoom(): boolean {
    return this.#room.size === 0 && !this.isFull;
  }

  /** A place for a call whose request is so long; `undefined`: too much waits already. */
  room(length: number): Place | undefined {
    const place = this.#room.wait(length);
    if (!this.takesCalls) this.#room.tellAll();
    return place;
  }

  /** Milliseconds since anything was heard of the other side. */
  silentMs(nowMs: number): number {
    return this.#isPaused ? 0 : nowMs - this.#heardAtMs;
  }

  /** Whether anything was said to the other side since this was asked before. */
  hasSpoken(): boolean {
    const { hasSpoken } = this.#writer;
    this.#writer.hasSpoken = false;
    return hasSpoken;
  }

  /** Milliseconds for which the other side has taken nothing of what waits for it. */
  stalledMs(nowMs: number): number {
    return this.#writer.queuedBytes === 0 ? 0 : nowMs - this.#progressAtMs;
  }

  /** At each heartbeat. */
  dropLate(nowMs: number): void {
    this.#served.dropLate(nowMs);
  }

  /** Sends a call; answers its number. @throws before anything of it is sent */
  send(outgoing: OutgoingCall, awaiting: Awaiting): number {
    return this.#made.send(outgoing, awaiting);
  }

  /** Nobody here waits for it any more. `early`: its consumer has enough, which is no failure. */
  giveUp(number: number, early: boolean): void {
    this.#made.giveUp(number, early);
  }

  /** So many more frames of a stream may come. */
  credit(number: number, frames: number): void {
    this.#made.credit(number, frames);
  }

  /** Says what this side is. @throws MESH_MESSAGE_TOO_LONG for what fits no frame */
  about(record: InstanceRecord | undefined): void {
    if (this.#isClosed) return;
    const said = record ?? null;
    if (!fitsFrame(JSON.stringify(said))) throw tooLong("The record of this node", pieceBytes / 3);
    this.#writer.json(FrameType.About, 0, said);
  }

  ping(onPong: () => void = () => undefined): void {
    this.#onPong.push(onPong);
    this.#writer.bare(FrameType.Ping, 0);
  }

  /**
   * This side takes no new calls any more; what runs is finished. Resolves when the other side has
   * read that, and with it all that it sent before is here; or when the connection has ended.
   */
  goodbye(reason: string): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    this.#writer.json(FrameType.Goodbye, 0, { reason });
    // Requests that had begun to come may be longer than the way to the other side and back.
    return new Promise((resolve) => this.ping(() => this.#served.whole(resolve)));
  }

  /** Takes a frame from the reader. @throws RangeError, SyntaxError for what breaks the protocol */
  take(frame: Frame): void {
    // What comes still is for nobody: all that ran here was aborted.
    if (this.#isClosed) return;
    switch (frame.type) {
      case FrameType.Request:
        this.#served.request(frame);
        break;
      case FrameType.Answer:
        this.#made.answer(frame);
        break;
      case FrameType.Failure:
        this.#made.failure(frame);
        break;
      case FrameType.Item:
        this.#made.item(frame);
        break;
      case FrameType.Credit:
        this.#served.credit(frame);
        break;
      default:
        this.#takeOther(frame);
    }
  }

  /** Bytes have come. */
  heard(): void {
    this.#heardAtMs = this.#options.runtime.clock.monotonicMs();
    const replies = this.#pongs + this.#served.refused;
    if (!this.isFull) {
      this.#repliesBefore = replies;
      return;
    }
    if (this.#isPaused || replies - this.#repliesBefore < repliesWhileFullMax) return;
    this.#isPaused = true;
    this.#options.socket.pause();
  }

  /** Ends the connection. */
  close(reason?: Error): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { socket, onClose } = this.#options;
    if (reason === undefined) {
      this.#served.turnAway();
      this.#writer.end();
      this.#endLater(closesMax);
    } else {
      this.#writer.close();
      socket.destroy();
    }
    this.#made.close(reason);
    this.#room.tellAll();
    this.#served.close();
    for (const told of this.#onPong.splice(0)) told();
    onClose(reason);
  }

  /** What waited has been taken: there is room for what is asked for. */
  #readAgain(): void {
    if (!this.#isPaused || this.isFull) return;
    this.#isPaused = false;
    this.#repliesBefore = this.#pongs + this.#served.refused;
    this.#heardAtMs = this.#options.runtime.clock.monotonicMs();
    this.#options.socket.resume();
  }

  /** L3 */
  #endLater(times: number): void {
    const { socket, runtime } = this.#options;
    if (socket.destroyed) return;
    const { queuedBytes } = this.#writer;
    const cancel = runtime.clock.setTimer(closeMs, () => {
      socket.off("close", cancel);
      if (times > 1 && this.#writer.queuedBytes < queuedBytes) this.#endLater(times - 1);
      else {
        this.#writer.close();
        socket.destroy();
      }
    });
    socket.once("close", cancel);
  }

  #takeOther(frame: Frame): void {
    switch (frame.type) {
      case FrameType.Define:
        this.#served.define(frame);
        break;
      case FrameType.RequestMore:
        this.#served.piece(frame);
        break;
      case FrameType.Cancel:
        this.#served.cancel(frame);
        break;
      case FrameType.AnswerMore:
        this.#made.piece(frame);
        break;
      case FrameType.End:
        this.#made.end(frame);
        break;
      case FrameType.Ping:
        this.#pongs += 1;
        this.#writer.bare(FrameType.Pong, 0);
        break;
      case FrameType.Pong:
        this.#onPong.shift()?.();
        break;
      case FrameType.About:
        this.#options.onAbout(this.#about.take(frame));
        break;
      case FrameType.Goodbye:
        this.#isLeaving = true;
        this.#room.tellAll();
        this.#options.onGoodbye();
        break;
      default:
        throw new RangeError(`a frame of type ${frame.type}`);
    }
  }
}
