/** What is behind a store, worked out when it was opened: shared by all who serve it. */

import type { Clock, Random } from "@banyan/kernel";
import type { Durability, EngineStore, StateCapability, StateEngine } from "./engine.ts";
import type { EntryCodec } from "./entry-codec.ts";
import type { KeyLanes } from "./key-lanes.ts";
import type { ResolvedStoreLimits } from "./options.ts";

/** What `openStore` has worked out. */
export interface StoreCore<V> {
  /** `greeter.visits`, for messages. */
  readonly label: string;
  readonly scope: string;
  readonly name: string;
  readonly durability: Durability;
  readonly engine: StateEngine;
  readonly entries: EngineStore;
  /** What the declaration asked for. */
  readonly capabilities: ReadonlySet<StateCapability>;
  readonly codec: EntryCodec<V>;
  readonly lanes: KeyLanes;
  readonly limits: ResolvedStoreLimits;
  readonly clock: Clock;
  readonly random: Random;
}
