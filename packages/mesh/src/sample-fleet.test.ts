/** Nodes of a fleet in one process, with real sockets between them, for the tests. */

import { afterEach } from "node:test";
import { defineContract, systemClock, t } from "@banyan/kernel";
import type { Client } from "@banyan/kernel";
import { CallRuntime, listOperations, OperationRunner } from "@banyan/kernel/internal";
import { until } from "@banyan/testbed";
import type { InstanceRecord, Mapping } from "./instance-record.ts";
import type { Registry } from "./registry.ts";
import { openFleet } from "./open-fleet.ts";
import type { Fleet, FleetOptions } from "./open-fleet.ts";

/** What the nodes provide. */
export const shop = defineContract("shop", {
  summary: "Sells.",
  version: "1.0.0",
  operations: {
    sell: {
      summary: "Sell.",
      request: t.Object({ n: t.Integer() }),
      response: t.Object({ by: t.String() }),
    },
    look: { summary: "Look.", idempotent: true, response: t.Object({ by: t.String() }) },
  },
});
export const secret = "known to all nodes of these tests";

/** In memory, shared by the nodes of a test. */
export function createRegistry(): Registry & { mapped: Mapping | undefined } {
  const records = new Map<string, { record: InstanceRecord; untilMs: number }>();
  let changes = 0;
  return {
    mapped: undefined,
    async write(record, leaseMs) {
      records.set(record.instance, { record, untilMs: systemClock.monotonicMs() + leaseMs });
    },
    async list() {
      const now = systemClock.monotonicMs();
      return [...records.values()]
        .filter(({ untilMs }) => untilMs > now)
        .map(({ record }) => record);
    },
    changes: async () => changes,
    async changed() {
      changes += 1;
    },
    async mapping() {
      return this.mapped;
    },
  };
}

const members: Member[] = [];
afterEach(async () => {
  for (const { fleet } of members.splice(0)) await fleet.close();
});

export interface Member {
  readonly fleet: Fleet;
  readonly runtime: CallRuntime;
  handled: number;
}

export async function join(
  registry: FleetOptions["registry"],
  node: string,
  { workMs, ...own }: Partial<FleetOptions> & { readonly workMs?: number } = {},
): Promise<Member> {
  const { runtime = new CallRuntime() } = own;
  const options = { node, registry, runtime, secret, heartbeatMs: 300, ...own };
  const member: Member = { fleet: await openFleet(options), runtime, handled: 0 };
  members.push(member);
  if (workMs === undefined) return member;
  const work = async (): Promise<{ by: string }> => {
    await systemClock.sleep(workMs);
    member.handled += 1;
    return { by: node };
  };
  const runners = listOperations(shop.spec.operations).map(
    (operation) => new OperationRunner(shop, operation, { handler: work, runtime }),
  );
  member.fleet.mesh.provide({ contract: shop, runners });
  await member.fleet.settled();
  return member;
}

export function clientOf({ fleet }: Member): Client<typeof shop> {
  return fleet.mesh.client(shop, { caller: "test" });
}

export async function sees(member: Member, count: number): Promise<void> {
  const providers = (): number =>
    member.fleet.instances().filter(({ services }) => Object.hasOwn(services, "shop")).length;
  await until(() => providers() === count, { what: `${count} instances of the shop are known` });
}
