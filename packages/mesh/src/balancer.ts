/**
 * Which of several instances a call goes to: of two drawn at random the one that is less busy,
 * by calls in flight and by how long calls took lately (power of two choices).
 *
 * What it owns: what this node has seen of each instance.
 */

import type { Random } from "@banyan/kernel";

/** Weight of the newest latency in the running mean. */
const newest = 0.2;

export class InstanceLoad {
  inFlight = 0;
  /** Running mean of milliseconds; 0: not called yet. */
  latencyMs = 0;

  began(): void {
    this.inFlight += 1;
  }

  ended(tookMs: number): void {
    this.inFlight -= 1;
    this.latencyMs =
      this.latencyMs === 0 ? tookMs : this.latencyMs * (1 - newest) + tookMs * newest;
  }

  /** What one more call would wait for. */
  get cost(): number {
    return (this.inFlight + 1) * (this.latencyMs + 0.1);
  }
}

export class Balancer {
  readonly #random: Random;
  readonly #loads = new Map<string, InstanceLoad>();

  constructor(random: Random) {
    this.#random = random;
  }

  loadOf(instance: string): InstanceLoad {
    const known = this.#loads.get(instance);
    if (known !== undefined) return known;
    const load = new InstanceLoad();
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
