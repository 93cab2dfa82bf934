/**
 * A group as this process sees it: how much it holds, as far as that is known, and what waits.
 *
 * What is in its queues is known from looks at them; between two looks, what this process published
 * and finished is added and taken off. What other processes do shows with the next look.
 */

import type { Clock } from "@banyan/kernel";
import type { WheelEntry } from "@banyan/kernel/internal";
import type { ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import type { Group } from "./registry.ts";

/** Looks again when its own publishes are this old, though there seems to be room. */
const staleMs = 5000;

/** A message that this process sent to wait. */
export class Waiter implements WheelEntry {
  readonly view: GroupView;
  readonly isRetry: boolean;
  deadlineMs: number;
  slot = -1;
  next: WheelEntry | undefined = undefined;
  previous: WheelEntry | undefined = undefined;

  constructor(view: GroupView, isRetry: boolean, deadlineMs: number) {
    this.view = view;
    this.isRetry = isRetry;
    this.deadlineMs = deadlineMs;
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
  /** What waits here, so that it can be forgotten with the group. */
  readonly waiters = new Set<Waiter>();
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

  /** @param ready messages in its queues that nobody has yet */
  endLook(ready: number, clock: Clock): void {
    this.#isLooking = false;
    if (this.#previous !== undefined) this.#lookedAtMs = clock.monotonicMs();
    const least = ready + this.taken + this.waiters.size;
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
