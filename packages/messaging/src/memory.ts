/**
 * The memory bus: the local bus without a journal. The reference of the contract; what it accepts
 * lives as long as the process.
 */

import type { Clock, Log, Random } from "@banyan/kernel";
import type { Bus, DeadLetter } from "./bus.ts";
import { localBusCapabilities, openLocalBus } from "./local-bus.ts";
import type { LocalBusOptions } from "./options.ts";
import type { BusProvider } from "./provider.ts";

export interface MemoryBusPorts {
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly log?: Log | undefined;
  /** Told of each dead letter. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined;
  readonly options?: LocalBusOptions | Readonly<Record<string, unknown>> | undefined;
}

/** Opens a memory bus. @throws MESSAGING_OPTIONS_INVALID */
export function openMemoryBus(ports: MemoryBusPorts = {}): Bus {
  return openLocalBus({ ...ports, name: "memory" });
}

/** The provider a node finds under the name `memory`. */
export const memoryBus: BusProvider = Object.freeze({
  name: "memory",
  durability: "ephemeral",
  capabilities: localBusCapabilities,
  openBus: async ({ clock, random, log, onDeadLetter, options }) =>
    openMemoryBus({ clock, random, log, onDeadLetter, options }),
} satisfies BusProvider);
