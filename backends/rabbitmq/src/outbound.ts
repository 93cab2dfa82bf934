/**
 * Everything on its way to the server: one row, in the order of the publishes, until it is
 * confirmed.
 *
 * What it owns: the row of what waits, what was sent and is not confirmed, one confirm channel.
 * What may interrupt it: the connection, an alarm of the server, a deadline, a signal, `close`.
 *
 * O1. A parcel ends once: confirmed, refused, withdrawn unsent, or unknown after it was sent.
 * O2. What was sent and not confirmed when the channel ended goes to the front of the row again, in
 *     its order, and is sent again under its id.
 * O3. The row takes nothing more at 80 % of its limits, or when its oldest is too old; what it took
 *     it keeps until it ends.
 * O4. At most `windowMax` parcels are on their way: what is behind them can still be withdrawn.
 * O5. The oldest is the oldest of all, wherever it stands: what was refused or sent again is no
 *     longer in its place.
 * O6. A message that is larger than the server takes ends by name; it holds up no other. Whatever
 *     else ends the channel each time it is sent is tried with growing pauses.
 */

import { IllegalOperationError } from "amqplib";
import type { ChannelModel, ConfirmChannel } from "amqplib";
import { backoffMs } from "@banyan/kernel";
import type { CancelTimer, Clock, Log, Random } from "@banyan/kernel";
import { kernelErrors, TimingWheel } from "@banyan/kernel/internal";
import { Fifo } from "@banyan/messaging/internal";
import { codeOf, rabbitmqErrors, sizeMaxOf } from "./errors.ts";
import { Parcel } from "./parcel.ts";
import type { Address, ParcelInit } from "./parcel.ts";
import {
  notEncoded,
  notTaken,
  outcomeUnknown,
  rowFull,
  tooLargeForServer,
  tooOld,
} from "./parcel-errors.ts";
import { Unserved } from "./unserved.ts";

/** Sent and not confirmed: enough to fill any line, few enough to send again. */
const windowMax = 2048;
const windowBytesMax = 16 * 1024 * 1024;

/** From here on nothing more is taken. */
const fullAt = 0.8;

/** A channel that could not be opened, and a publish that the server refused, are tried again. */
const pauses = { initialMs: 50, maxMs: 2000 } as const;

/** What the server throws back: no queue wanted it. */
interface ReturnedMessage {
  readonly fields: Address;
  readonly properties: { readonly messageId?: unknown };
}

export interface OutboundPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly countMax: number;
  readonly bytesMax: number;
  readonly ageMaxMs: number;
  /**
   * Declares what publishing takes, on each new channel.
   * @param isLost an exchange was not there, and with it its bindings are gone
   */
  readonly prepare: (channel: ConfirmChannel, isLost: boolean) => Promise<void>;
  /** Why the server ended the channel. */
  readonly onRefused?: ((error: unknown) => void) | undefined;
  /** Why there is no connection. */
  readonly failure: () => Error;
  /** Milliseconds between sending and its confirm. */
  readonly confirmed?: ((ms: number) => void) | undefined;
}

export class Outbound {
  readonly #ports: OutboundPorts;
  readonly #waiting = new Fifo<Parcel>();
  readonly #sent = new Set<Parcel>();
  /** The server did not take them; they are sent again in a moment. */
  readonly #refused: Parcel[] = [];
  readonly #wheel: TimingWheel<Parcel>;
  readonly #unserved: Unserved;
  #connection: ChannelModel | undefined = undefined;
  #channel: ConfirmChannel | undefined = undefined;
  #blocked: string | undefined = undefined;
  #live = 0;
  #held = 0;
  #bytes = 0;
  #places = 0;
  /** No parcel is older than this (O5). */
  #oldestSinceMs = 0;
  #fullSinceMs = Infinity;
  #sentBytes = 0;
  #isFull = false;
  #isClosed = false;
  /** What messages are published to was deleted. */
  #isLost = false;
  /** Bytes; the server said so when it refused a larger one on this connection. */
  #sizeMax = Infinity;
  /** Channels that ended since something was confirmed. */
  #tries = 0;
  #cancelPause: CancelTimer | undefined = undefined;
  #idling: PromiseWithResolvers<undefined> | undefined = undefined;

  constructor(ports: OutboundPorts) {
    this.#ports = ports;
    this.#unserved = new Unserved(ports.clock, ports.ageMaxMs);
    this.#wheel = new TimingWheel<Parcel>(ports.clock, (parcel) => this.#late(parcel));
  }

  /** Parcels that have not ended. */
  get size(): number {
    return this.#live;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get unconfirmed(): number {
    return this.#sent.size;
  }

  get blocked(): string | undefined {
    return this.#blocked;
  }

  /** There is a connection, and the server takes what comes. */
  get takes(): boolean {
    return this.#channel !== undefined && this.#blocked === undefined;
  }

  /** Age of the oldest, in milliseconds: of what waits, was sent, or was refused. */
  get oldestMs(): number {
    const nowMs = this.#ports.clock.monotonicMs();
    let sinceMs = this.#firstWaiting()?.sinceMs ?? nowMs;
    // What was sent again stands behind younger ones.
    for (const parcel of this.#sent) sinceMs = Math.min(sinceMs, parcel.sinceMs);
    for (const parcel of this.#refused) {
      if (!parcel.isEnded) sinceMs = Math.min(sinceMs, parcel.sinceMs);
    }
    return nowMs - sinceMs;
  }

  /** Milliseconds since it takes nothing more; 0: it does. */
  get fullMs(): number {
    return Math.max(0, this.#ports.clock.monotonicMs() - this.#fullSinceMs);
  }

  /** Milliseconds in which the server took nothing although something was published. */
  get unservedMs(): number {
    return this.#unserved.lastsMs;
  }

  /** How much of what it may hold it holds, 0 … 1, by count or by bytes. */
  get usedShare(): number {
    const { countMax, bytesMax } = this.#ports;
    return Math.max(this.#live / countMax, this.#bytes / bytesMax);
  }

  /** Why it takes nothing more; `undefined`: it does. */
  get refusal(): Error | undefined {
    const { ageMaxMs, clock } = this.#ports;
    const full = this.#isFull ? fullAt * 0.9 : fullAt;
    const isOld = this.#isOld();
    const wasFull = this.#isFull;
    this.#isFull = this.usedShare >= full || isOld;
    if (this.#isFull !== wasFull) {
      this.#fullSinceMs = this.#isFull ? clock.monotonicMs() : Infinity;
      this.#tellFull(isOld);
    }
    if (!this.#isFull) return undefined;
    const { size, bytes } = this;
    return isOld ? tooOld(size, ageMaxMs) : rowFull(size, bytes);
  }

  /** Takes a parcel in; the caller has seen `refusal`, or it must not be refused. */
  send(init: ParcelInit): Parcel {
    const nowMs = this.#ports.clock.monotonicMs();
    const parcel = new Parcel(init, nowMs, this.#places++);
    if (this.#live === 0) this.#oldestSinceMs = nowMs;
    this.#live += 1;
    if (!parcel.isRepeated) this.#unserved.wanted();
    this.#bytes += init.content.length;
    if (this.#isClosed) {
      this.#end(parcel, kernelErrors.CLOSED("The bus is closed."));
      return parcel;
    }
    if (init.deadlineMs !== Infinity) this.#wheel.add(parcel);
    if (this.#canSend && this.#waiting.size === 0) this.#sendNow(parcel);
    else this.#waiting.push(parcel);
    return parcel;
  }

  /** Something will be sent that is in no row yet: it is not idle until that is let go. */
  hold(): () => void {
    this.#held += 1;
    return () => {
      this.#held -= 1;
      this.#lookIdle();
    };
  }

  /** Takes one back that was not sent. False: too late, or ended. */
  withdraw(parcel: Parcel, error: Error): boolean {
    if (parcel.isEnded || parcel.wasSent) return false;
    this.#end(parcel, error);
    return true;
  }

  up(connection: ChannelModel): void {
    this.#connection = connection;
    this.#tries = 0;
    this.#sizeMax = Infinity;
    void this.#openChannel(connection);
  }

  down(): void {
    this.#connection = undefined;
    this.#blocked = undefined;
    this.#cancelPause?.();
    this.#lost();
  }

  block(reason: string | undefined): void {
    this.#blocked = reason;
    if (reason !== undefined) {
      this.#ports.log.error("RabbitMQ takes no messages", { reason });
      return;
    }
    this.#ports.log.info("RabbitMQ takes messages again");
    this.#unserved.cameBack();
    this.#pump();
  }

  /** Resolves when everything has ended, at the latest then. The least patient ends it for all. */
  async idle(patienceMs: number): Promise<void> {
    if (this.#live + this.#held === 0) return;
    if (patienceMs <= 0) {
      this.#idling?.resolve(undefined);
      return;
    }
    this.#idling ??= Promise.withResolvers<undefined>();
    const { promise, resolve } = this.#idling;
    const done = (): void => resolve(undefined);
    const cancel = this.#ports.clock.setTimer(patienceMs, done, { keepAlive: true });
    await promise;
    this.#idling = undefined;
    cancel();
  }

  /** Ends what has not ended. */
  close(): void {
    this.#isClosed = true;
    this.#cancelPause?.();
    this.#takeBackRefused();
    for (const parcel of this.#sent) this.#end(parcel, outcomeUnknown(parcel));
    for (let parcel = this.#waiting.shift(); parcel; parcel = this.#waiting.shift()) {
      if (parcel.isEnded) continue;
      const closed = kernelErrors.CLOSED("The bus was closed before RabbitMQ took the message.");
      this.#end(parcel, parcel.wasSent ? outcomeUnknown(parcel) : closed);
    }
  }

  get #canSend(): boolean {
    return (
      this.#channel !== undefined &&
      this.#blocked === undefined &&
      this.#refused.length === 0 &&
      this.#sent.size < windowMax &&
      this.#sentBytes < windowBytesMax
    );
  }

  #firstWaiting(): Parcel | undefined {
    for (let first = this.#waiting.peek(); first !== undefined; first = this.#waiting.peek()) {
      if (!first.isEnded) return first;
      this.#waiting.shift();
    }
    return undefined;
  }

  async #openChannel(connection: ChannelModel): Promise<void> {
    try {
      const channel = await connection.createConfirmChannel();
      channel.on("error", (error) => {
        if (codeOf(error) === 404) this.#isLost = true;
        this.#sizeMax = sizeMaxOf(error) ?? this.#sizeMax;
        this.#ports.log.error("RabbitMQ ended the channel of publishes", { error });
        this.#ports.onRefused?.(error);
        // Before the client says of each unconfirmed message that it failed: no server refused it.
        this.#channelClosed(channel, connection);
      });
      await this.#ports.prepare(channel, this.#isLost);
      this.#isLost = false;
      if (this.#connection !== connection || this.#isClosed) return;
      channel.on("return", (returned) => this.#returned(returned));
      channel.on("close", () => this.#channelClosed(channel, connection));
      this.#channel = channel;
      if (this.#blocked === undefined) this.#unserved.cameBack();
      this.#pump();
    } catch (error) {
      if (this.#connection !== connection || this.#isClosed) return;
      this.#ports.log.error("what publishing takes could not be declared", { error });
      this.#openLater(connection);
    }
  }

  #channelClosed(channel: ConfirmChannel, connection: ChannelModel): void {
    if (this.#channel !== channel) return;
    const tooLarge = Array.from(this.#sent).filter((parcel) => this.#isTooLarge(parcel));
    this.#lost();
    for (const parcel of tooLarge) this.#end(parcel, tooLargeForServer(parcel, this.#sizeMax));
    if (this.#connection === connection && !this.#isClosed) this.#openLater(connection);
  }

  #openLater(connection: ChannelModel): void {
    this.#tries += 1;
    const { clock, random } = this.#ports;
    const pauseMs = backoffMs(this.#tries, random, pauses);
    this.#cancelPause = clock.setTimer(pauseMs, () => {
      if (this.#connection === connection) void this.#openChannel(connection);
    });
  }

  /** The channel is gone: what it had not confirmed waits again, first. */
  #lost(): void {
    this.#channel = undefined;
    this.#refused.push(...this.#sent);
    this.#sent.clear();
    this.#sentBytes = 0;
    this.#takeBackRefused();
  }

  #pump(): void {
    while (this.#canSend) {
      const parcel = this.#firstWaiting();
      if (parcel === undefined) return;
      this.#waiting.shift();
      this.#sendNow(parcel);
    }
  }

  #sendNow(parcel: Parcel): void {
    const channel = this.#channel;
    if (channel === undefined) return;
    if (this.#isTooLarge(parcel)) {
      this.#end(parcel, tooLargeForServer(parcel, this.#sizeMax));
      return;
    }
    const { exchange, routingKey, content, properties } = parcel;
    parcel.wasSent = true;
    parcel.isReturned = false;
    parcel.sentAtMs = this.#ports.clock.monotonicMs();
    this.#sent.add(parcel);
    this.#sentBytes += content.length;
    try {
      channel.publish(exchange, routingKey, content, properties, (error: unknown) => {
        if (this.#channel === channel) this.#answered(parcel, error);
      });
    } catch (error) {
      // Closing just now, its end brings the parcel back into the row.
      if (error instanceof IllegalOperationError) return;
      if (this.#sent.delete(parcel)) this.#sentBytes -= content.length;
      parcel.wasSent = false;
      this.#end(parcel, notEncoded(parcel, error));
    }
  }

  #isTooLarge({ content }: Parcel): boolean {
    return content.length > this.#sizeMax;
  }

  #answered(parcel: Parcel, error: unknown): void {
    const isTaken = error === null || error === undefined;
    if (this.#sent.delete(parcel)) {
      this.#sentBytes -= parcel.content.length;
      if (isTaken) {
        this.#ports.confirmed?.(this.#ports.clock.monotonicMs() - parcel.sentAtMs);
        this.#end(parcel, undefined);
      } else {
        // Refused: the queue's leader is away, or a queue of the way is full. It is tried again.
        this.#retryRefused(parcel);
      }
    }
    if (isTaken) {
      // Also what was confirmed too late was taken.
      this.#tries = 0;
      this.#unserved.served();
    }
    this.#pump();
  }

  /** It keeps its place before those behind it, which wait with it. */
  #retryRefused(parcel: Parcel): void {
    this.#refused.push(parcel);
    if (this.#refused.length > 1) return;
    this.#ports.clock.setTimer(pauses.initialMs, () => {
      this.#takeBackRefused();
      this.#pump();
    });
  }

  /** In the order of the publishes (O2), whatever the order of the refusals was. */
  #takeBackRefused(): void {
    const back = this.#refused.splice(0).sort((a, b) => b.place - a.place);
    for (const parcel of back) this.#waiting.unshift(parcel);
  }

  /** The oldest is looked for only when it may be too old: this is asked with each publish. */
  #isOld(): boolean {
    const { clock, ageMaxMs } = this.#ports;
    if (this.#live === 0) return false;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#oldestSinceMs <= ageMaxMs) return false;
    this.#oldestSinceMs = nowMs - this.oldestMs;
    return nowMs - this.#oldestSinceMs > ageMaxMs;
  }

  /** One message may be on its way to several places under its id. */
  #returned({ fields, properties: { messageId } }: ReturnedMessage): void {
    for (const parcel of this.#sent) {
      if (parcel.properties.messageId !== messageId || parcel.isReturned) continue;
      if (parcel.exchange !== fields.exchange || parcel.routingKey !== fields.routingKey) continue;
      parcel.isReturned = true;
      return;
    }
  }

  /** Its time is over. */
  #late(parcel: Parcel): void {
    if (this.#sent.delete(parcel)) this.#sentBytes -= parcel.content.length;
    if (parcel.wasSent) {
      this.#end(parcel, outcomeUnknown(parcel));
      this.#pump();
    } else this.#end(parcel, this.#unavailable());
  }

  #unavailable(): Error {
    const cause =
      this.#blocked === undefined
        ? this.#ports.failure()
        : rabbitmqErrors.RABBITMQ_BLOCKED(`RabbitMQ takes no messages: ${this.#blocked}.`);
    return notTaken(cause);
  }

  #lookIdle(): void {
    if (this.#live + this.#held === 0) this.#idling?.resolve(undefined);
  }

  #end(parcel: Parcel, error: Error | undefined): void {
    if (parcel.isEnded) return;
    parcel.isEnded = true;
    parcel.isConfirmed = error === undefined;
    this.#live -= 1;
    this.#bytes -= parcel.content.length;
    if (!parcel.isRepeated) this.#unserved.left();
    if (parcel.slot !== -1) this.#wheel.remove(parcel);
    parcel.onEnd(error, parcel);
    this.#lookIdle();
  }

  #tellFull(isOld: boolean): void {
    const { log } = this.#ports;
    const fields = { messages: this.#live, bytes: this.#bytes, oldestMs: this.oldestMs };
    if (!this.#isFull) log.info("messages for RabbitMQ are taken again", fields);
    else if (isOld) log.error("messages wait for RabbitMQ too long; no more are taken", fields);
    else log.error("too many messages wait for RabbitMQ; no more are taken", fields);
  }
}
