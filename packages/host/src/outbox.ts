/** How events leave with a transaction: on the bus's own journal, or by an outbox and its relay. */

import type { Clock, Log, Random } from "@banyan/kernel";
import type { Bus } from "@banyan/messaging";
import { OutboxRelay } from "@banyan/messaging/internal";
import { StateCapability } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import type { NodeConfig } from "./node-config.ts";

/** Whether the engine commits what the bus stages. */
export function isOneMedium({ medium, capabilities }: StateEngine, bus: Bus): boolean {
  return (
    capabilities.has(StateCapability.Outbox) &&
    bus.stage !== undefined &&
    medium !== undefined &&
    medium === bus.medium
  );
}

export interface RelayMeans {
  readonly engine: StateEngine;
  /** Of durable events. */
  readonly bus: Bus;
  /** Name of the node. */
  readonly node: string;
  readonly config: NodeConfig["outbox"];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The relay of an engine that has an outbox of its own; it begins when it is started. */
export function createRelay(means: RelayMeans): OutboxRelay | undefined {
  const { engine, bus, node, config, clock, random, log } = means;
  const { outbox } = engine;
  if (outbox === undefined || engine.durability !== "durable") return undefined;
  if (isOneMedium(engine, bus)) return undefined;
  const by = outbox.holder ?? node;
  const ports = { outbox, engine: engine.name, bus, by, clock, random, options: config };
  return new OutboxRelay({ ...ports, log: log.child({ engine: engine.name }) });
}
