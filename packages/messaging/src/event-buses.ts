/** Which bus carries an event: its contract says whether it must survive the process. */

import type { EventSpec } from "@banyan/kernel";
import type { Bus } from "./bus.ts";

/** A bus for durable events and one for ephemeral ones; a bus alone carries both. */
export interface EventBuses {
  readonly durable: Bus;
  readonly ephemeral: Bus;
}

/** The bus of an event; one that says nothing is durable. */
export function busOf(
  buses: Bus | EventBuses,
  durability: EventSpec["durability"] = "durable",
): Bus {
  return "durable" in buses ? buses[durability] : buses;
}
