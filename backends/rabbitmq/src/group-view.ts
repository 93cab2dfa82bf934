/**
 * A group as this process sees it: how much it holds, as far as that is known, and what waits.
 *
 * What is in its queues is known from looks at them; between two looks, what this process published
 * and finished is added and taken off. What other processes do shows with the next look.
 */

import type { Clock } from "@banyan/kernel";
import type { WheelEntry } from "@banyan/kernel/internal";
import type { HeldDelivery, ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import type { Group } from "./registry.ts";

/** Looks again when its own publishes are this old, though there seems to be room. */
const staleMs = 5000;

/** A message that waits, in the server or in this process. */
export class Waiter implements WheelEntry {
  readonly view: GroupView;
  readonly isRetry: boolean;
  /** It is among what this process has taken. */
  readonly isHere: boolean;
  deadlineMs: number;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(view: GroupView, init: Pick<Waiter, "isRetry" | "isHere" | "deadlineMs">) {
    this.view = view;
    this.isRetry = init.isRetry;
    this.isHere = init.isHere;
    this.deadlineMs = init.deadlineMs;
  }
}

export class GroupView {
  group: Group;
  /** Delivered to this process and not acknowledged. */
  taken = 0;
  /** In its handlers. */
  running = 0;
  retrying = 0;
  delayed = 0;
  handled = 0;
  retried = 0;
  deadLettered = 0;
  /** Publication of what was delivered last, wall clock. */
  newestMs = 0;
  /** What this process sent to wait, so that it can be forgotten with the group. */
  readonly waiters = new Set<Waiter>();
  /** Of those: what waits in this process. */
  #waitingHere = 0;
  #held = 0;
  /** What the look before saw: a message between queue and handler shows in neither place. */
  #previous: { readonly least: number; readonly most: number } | undefined = undefined;
  #lookedAtMs = -Infinity;
  /** Published and not confirmed: perhaps in a queue already, perhaps not. */
  #unconfirmed = 0;
  /** Published since a look began, and unconfirmed when it did. */
  #sent = 0;
  #isLooking = false;

  constructor(group: Group) {
    this.group = group;
  }

  get held(): number {
    return this.#held;
  }

  get hasRoom(): boolean {
    return this.#held < this.group.bufferMax;
  }

  get isLooking(): boolean {
    return this.#isLooking;
  }

  isStale(clock: Clock): boolean {
    return this.#sent > 0 && clock.monotonicMs() - this.#lookedAtMs > staleMs;
  }

  /** Its group was opened again: what a member had taken counts here now. */
  adopt(held: Iterable<HeldDelivery>): void {
    for (const { place } of held) {
      this.taken += 1;
      if (place === "running") this.running += 1;
    }
  }

  /** What this process has sent to wait in the server. */
  get sentToWait(): number {
    return this.waiters.size - this.#waitingHere;
  }

  waits(waiter: Waiter): void {
    this.waiters.add(waiter);
    this.#countWait(waiter, 1);
  }

  waitsNoMore(waiter: Waiter): void {
    if (this.waiters.delete(waiter)) this.#countWait(waiter, -1);
  }

  published(): void {
    this.#held += 1;
    this.#sent += 1;
    this.#unconfirmed += 1;
  }

  confirmed(): void {
    this.#unconfirmed -= 1;
  }

  /** It did not get there, as far as is known: the next look tells. */
  refused(): void {
    this.#unconfirmed -= 1;
    this.finished();
  }

  /** Acknowledged for good, or given up. */
  finished(): void {
    if (this.#held > 0) this.#held -= 1;
  }

  beginLook(): void {
    this.#isLooking = true;
    this.#sent = this.#unconfirmed;
  }

  /** @param ready messages that no process has, but for what this one sent to wait */
  endLook(ready: number, clock: Clock): void {
    this.#isLooking = false;
    if (this.#previous !== undefined) this.#lookedAtMs = clock.monotonicMs();
    const least = ready + this.taken + this.sentToWait;
    const most = least + this.#sent; // on their way, or there already
    const before = this.#previous;
    // A message between queue and handler shows in both places or in neither for a moment: what
    // was counted here is changed only as far as two looks agree.
    if (before !== undefined) {
      this.#held = Math.max(this.#held, Math.min(least, before.least));
      this.#held = Math.min(this.#held, Math.max(most, before.most));
    }
    this.#previous = { least, most };
  }

  /** One look alone says nothing. */
  get needsLook(): boolean {
    return this.#lookedAtMs === -Infinity;
  }

  failLook(): void {
    this.#isLooking = false;
  }

  #countWait({ isRetry, isHere }: Waiter, by: 1 | -1): void {
    this[isRetry ? "retrying" : "delayed"] += by;
    if (isHere) this.#waitingHere += by;
  }
}

/** A broadcast's own place in the accounts of groups: it has no limit but its queue's. */
export function liveView(spec: ResolvedSubscribeSpec, id: string): GroupView {
  const { name, topic, ordered, bufferMax, retentionMs } = spec;
  return new GroupView({
    name,
    life: id,
    topic,
    ordered,
    partitions: 0,
    bufferMax,
    retentionMs,
  });
}
