/**
 * The node's record of the events that were handled once: a store beside the stores whose
 * transactions it is part of, so on each engine that keeps some.
 */

import { t } from "@banyan/kernel";
import type { StoreSpec } from "@banyan/kernel";
import { StateCapability } from "@banyan/state";
import type { StateEngine } from "@banyan/state";

/** Key: identity of the subscription and id of the event, `orders.reserved:0197…`. */
const inboxRecord = t.Object({
  /** ISO 8601, UTC; for people. */
  handledAt: t.String(),
});

/** The store's declaration on an engine of this durability. */
export function inboxSpec(durability: StateEngine["durability"]): StoreSpec {
  return {
    summary: "Events that were handled once, so that their duplicates are not.",
    value: inboxRecord,
    durability,
    expires: true,
    capabilities: [StateCapability.Transaction],
  };
}

/** Whether the engine can keep it. */
export function canKeepInbox({ capabilities }: StateEngine): boolean {
  return capabilities.has(StateCapability.Transaction) && capabilities.has(StateCapability.Expires);
}
