/**
 * Which of several instances a call goes to: of two drawn at random the one that is less busy,
 * by calls in flight and by how long calls took lately (power of two choices).
 *
 * What it owns: what this node has seen of each instance.
 */

import type { Clock, Random } from "@banyan/kernel";

/** Weight of the newest latency in the running mean. */
const newest = 0.2;
/** Half of a latency is forgotten in so long without a call: who was slow is tried again. */
const halfLifeMs = 2000;

export class InstanceLoad {
  readonly #clock: Clock;
  inFlight = 0;
  /** Running mean of milliseconds; 0: not known. */
  #latencyMs = 0;
  #learnedAtMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  began(): void {
    this.inFlight += 1;
  }

  /** @param tookMs `undefined`: it says nothing of how long calls take */
  ended(tookMs: number | undefined): void {
    this.inFlight -= 1;
    if (tookMs === undefined) return;
    const before = this.#latencyMs;
    this.#latencyMs = before === 0 ? tookMs : before * (1 - newest) + tookMs * newest;
    this.#learnedAtMs = this.#clock.monotonicMs();
  }

  /** What one more call would wait for. */
  get cost(): number {
    const ageMs = this.#clock.monotonicMs() - this.#learnedAtMs;
    return (this.inFlight + 1) * (this.#latencyMs * 0.5 ** (ageMs / halfLifeMs) + 0.1);
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
