/** The registry of a fleet as a store: what the nodes of it write for each other. */

import { t } from "@banyan/kernel";
import type { StoreSpec } from "@banyan/kernel";
import type { RegistryEntry } from "@banyan/mesh";
import type { StateEngine } from "@banyan/state";

/** The registry's declaration on an engine of this durability. */
export function registrySpec(durability: StateEngine["durability"]): StoreSpec {
  return {
    summary: "Nodes of the fleet, each under a lease, and which app runs which service.",
    // Nodes of other versions write here too: what an entry is, is judged by whoever reads it.
    value: t.Unsafe<RegistryEntry>({ type: "object" }),
    durability,
    expires: true,
  };
}
