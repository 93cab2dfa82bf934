/**
 * What a queue's messages wait for, all on the bus's wheel: a retry of the handler or of the
 * burial, the time of a delayed one, the end of a lease.
 *
 * A message has one wait at a time: its place on the wheel is a part of itself (`HeldDelivery`).
 */

import type { Clock } from "@banyan/kernel";
import type { BusWheel, HeldDelivery } from "./held-delivery.ts";

/** The longest a wait on the wall clock goes without a look at it: it may jump. */
export const wallCheckMs = 60_000;

export interface WaitsHost {
  readonly clock: Clock;
  readonly wheel: BusWheel;
}

export class QueueWaits {
  readonly #host: WaitsHost;
  readonly #retrying = new Set<HeldDelivery>();
  readonly #burying = new Set<HeldDelivery>();
  readonly #delayed = new Set<HeldDelivery>();

  constructor(host: WaitsHost) {
    this.#host = host;
  }

  get retrying(): number {
    return this.#retrying.size;
  }

  get delayed(): number {
    return this.#delayed.size;
  }

  /** Given up, and their letters could not be kept yet. */
  get burying(): number {
    return this.#burying.size;
  }

  /** Those that were tried and wait in memory. */
  get tried(): number {
    return this.#retrying.size + this.#burying.size;
  }

  retry(held: HeldDelivery, waitMs: number): void {
    held.place = "retrying";
    this.#retrying.add(held);
    this.#add(held, waitMs);
  }

  bury(held: HeldDelivery, waitMs: number): void {
    this.#burying.add(held);
    this.#add(held, waitMs);
  }

  delay(held: HeldDelivery): void {
    held.place = "delayed";
    this.#delayed.add(held);
    this.#sleep(held);
  }

  lend(held: HeldDelivery, leaseMs: number): void {
    this.#add(held, leaseMs);
  }

  /** The handler ended in time. */
  settle(held: HeldDelivery): void {
    if (held.slot !== -1) this.#host.wheel.remove(held);
  }

  /** A wait has ended; false when it begins anew because the wall clock is not there yet. */
  isOver(held: HeldDelivery): boolean {
    const { message, place } = held;
    if (place === "delayed" && (message.deliverAtMs ?? 0) > this.#host.clock.nowMs()) {
      this.#sleep(held);
      return false;
    }
    this.#retrying.delete(held);
    this.#burying.delete(held);
    this.#delayed.delete(held);
    return true;
  }

  /** Takes out those that wait for a retry and fit. */
  takeRetrying(isWanted: (held: HeldDelivery) => boolean): HeldDelivery[] {
    const taken = [...this.#retrying].filter(isWanted);
    for (const held of taken) {
      this.#retrying.delete(held);
      this.#host.wheel.remove(held);
    }
    return taken;
  }

  /** Ends every wait. */
  clear(): void {
    for (const waiting of [this.#retrying, this.#burying, this.#delayed]) {
      for (const held of waiting) this.#host.wheel.remove(held);
      waiting.clear();
    }
  }

  #sleep(held: HeldDelivery): void {
    const waitMs = (held.message.deliverAtMs ?? 0) - this.#host.clock.nowMs();
    this.#add(held, Math.min(waitMs, wallCheckMs));
  }

  #add(held: HeldDelivery, waitMs: number): void {
    held.deadlineMs = this.#host.clock.monotonicMs() + waitMs;
    this.#host.wheel.add(held);
  }
}
