/** How a node opens a bus: what a backend exports and configuration names. */

import type { Clock, Log, Random } from "@banyan/kernel";
import type { Metrics } from "@banyan/telemetry";
import type { Bus, BusCapability, BusDurability, DeadLetter } from "./bus.ts";

export interface BusOpenOptions {
  /** Data directory of the node; a bus without files ignores it. */
  readonly directory?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly log?: Log | undefined;
  /** Where it counts what only it can see. Left out: it counts nothing. */
  readonly metrics?: Metrics | undefined;
  /** Told of each message that a subscription of this bus gave up, once its letter is kept. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined;
  /**
   * Told once, when the bus finds that the process should end in an orderly way and be started
   * again. The bus goes on as it was until it is closed. Left out: an option that would need it is
   * refused.
   */
  readonly onFatal?: ((error: Error) => void) | undefined;
  /** The engine's own options, as configuration gave them; it refuses what it does not know. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
}

export interface BusProvider {
  /** The name configuration uses: `memory`. */
  readonly name: string;
  readonly durability: BusDurability;
  /** What its buses declare, so that a node can refuse what they lack before it opens one. */
  readonly capabilities?: ReadonlySet<BusCapability> | undefined;
  /** What one node publishes reaches subscriptions of all that use it. Default false. */
  readonly isShared?: boolean | undefined;
  /** As `StateEngineProvider.config`. One engine that is both has one section for both. */
  readonly config?: object | undefined;
  openBus(options: BusOpenOptions): Promise<Bus>;
}
