/**
 * Which of several instances a call goes to: of two drawn at random the one that is less busy,
 * by calls in flight, by how long calls took lately and by how many of them failed (power of two
 * choices).
 *
 * What it owns: what this node has seen of each instance.
 *
 * B1. To fail is not to be fast: who refuses or fails at once is not cheap for it.
 * B2. Nothing is held against an instance for good: it is asked again, and by few.
 */

import type { BanyanError, Clock, ErrorKind, Random } from "@banyan/kernel";

/** Weight of the newest call in the running means. */
const newest = 0.2;
/** Half of what is known is forgotten in so long without a call: who was slow is tried again. */
const halfLifeMs = 2000;
/** The least part of the calls to an instance that is taken to do: nobody costs all there is. */
const leastGood = 0.01;

/** Failures that another instance might not have. */
const ofInstance: ReadonlySet<ErrorKind> = new Set<ErrorKind>([
  "internal",
  "unknown",
  "data_loss",
  "unavailable",
  "resource_exhausted",
  "deadline_exceeded",
]);

export class InstanceLoad {
  readonly #clock: Clock;
  inFlight = 0;
  /** Running mean of milliseconds; 0: not known. */
  #latencyMs = 0;
  /** Running mean of failures, 0 to 1. */
  #failing = 0;
  #learnedAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  began(): void {
    this.inFlight += 1;
  }

  /** @param tookMs `undefined`: it says nothing of how long calls take */
  ended(error: BanyanError | undefined, tookMs?: number): void {
    this.inFlight -= 1;
    if (error !== undefined && !ofInstance.has(error.kind)) return;
    const nowMs = this.#clock.monotonicMs();
    const kept = this.#kept(nowMs);
    this.#failing = this.#failing * kept * (1 - newest) + (error === undefined ? 0 : newest);
    // Nor does a failure.
    if (error === undefined && tookMs !== undefined) {
      // The less is known, the more the newest counts.
      const old = this.#latencyMs === 0 ? 0 : kept * (1 - newest);
      this.#latencyMs = this.#latencyMs * old + tookMs * (1 - old);
    } else this.#latencyMs *= kept;
    this.#learnedAtMs = nowMs;
  }

  /** What one more call would wait for, until one is answered. */
  get cost(): number {
    const kept = this.#kept(this.#clock.monotonicMs());
    const once = (this.inFlight + 1) * (this.#latencyMs * kept + 0.1);
    if (this.#failing === 0) return once;
    // Squared: a failure is worse than a second call would be, its caller hears of it.
    const good = Math.max(leastGood, 1 - this.#failing * kept);
    return once / (good * good);
  }

  /** Of what was learned so much counts still. */
  #kept(nowMs: number): number {
    return 0.5 ** ((nowMs - this.#learnedAtMs) / halfLifeMs);
  }
}

export class Balancer {
  readonly #random: Random;
  readonly #clock: Clock;
  readonly #loads = new Map<string, InstanceLoad>();

  constructor(random: Random, clock: Clock) {
    this.#random = random;
    this.#clock = clock;
  }

  loadOf(instance: string): InstanceLoad {
    const known = this.#loads.get(instance);
    if (known !== undefined) return known;
    const load = new InstanceLoad(this.#clock);
    this.#loads.set(instance, load);
    return load;
  }

  forget(instance: string): void {
    this.#loads.delete(instance);
  }

  /** `undefined` where there is none to choose from. */
  choose<T extends { readonly instance: string }>(candidates: readonly T[]): T | undefined {
    const { length } = candidates;
    if (length < 2) return candidates[0];
    const first = Math.floor(this.#random.next() * length);
    // Another one than the first, each as likely.
    const second = (first + 1 + Math.floor(this.#random.next() * (length - 1))) % length;
    const [one, other] = [candidates[first], candidates[second]];
    if (one === undefined || other === undefined) return one ?? other;
    return this.loadOf(one.instance).cost <= this.loadOf(other.instance).cost ? one : other;
  }
}
