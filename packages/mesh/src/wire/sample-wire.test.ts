/** Two nodes with real sockets between them, for the tests of the wire. */

import { defineContract, systemRandom, t } from "@banyan/kernel";
import type { Client } from "@banyan/kernel";
import { CallRuntime, listOperations, OperationRunner } from "@banyan/kernel/internal";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { Balancer } from "../balancer.ts";
import { FleetMesh } from "../fleet-mesh.ts";
import type { InstanceRecord } from "../instance-record.ts";
import { defaultApp, RouteTable } from "../route-table.ts";
import { Peers } from "./peers.ts";
import type { PeersOptions } from "./peers.ts";

/** Who is there: what a registry would tell. */
export class Town {
  readonly records = new Map<string, InstanceRecord>();
  readonly #tables = new Set<RouteTable>();

  join(table: RouteTable): void {
    this.#tables.add(table);
    table.replaceInstances([...this.records.values()]);
  }

  tell(record: InstanceRecord): void {
    this.records.set(record.instance, record);
    for (const table of this.#tables) table.replaceInstances([...this.records.values()]);
  }
}

export interface TownNode {
  readonly mesh: FleetMesh;
  readonly runtime: CallRuntime;
  readonly peers: Peers;
  readonly table: RouteTable;
}

export const secret = "a secret of the tests, long enough";

export async function openTownNode(
  town: Town,
  node: string,
  {
    clock = new FakeClock({ monotonicMs: 1000 }),
    inProcess = true,
    ...own
  }: Partial<PeersOptions> & {
    readonly clock?: FakeClock;
    readonly inProcess?: boolean;
  } = {},
): Promise<TownNode> {
  const runtime = new CallRuntime({ clock });
  const table = new RouteTable();
  let mesh: FleetMesh | undefined = undefined;
  const peers = new Peers({
    cluster: "test",
    node,
    secret,
    tls: undefined,
    runtime,
    log: createRecordingLog(),
    callsMax: 1000,
    messageBytesMax: 1_000_000,
    outgoingBytesMax: 1_000_000,
    heartbeatMs: 1000,
    resolve: (operation, kind) => {
      if (mesh === undefined) throw new Error("too early");
      return mesh.serve(operation, kind);
    },
    onGone: (peer) => table.exclude(peer),
    ...own,
  });
  const port = await peers.listen("127.0.0.1", 0);
  town.join(table);
  const made: FleetMesh = new FleetMesh({
    runtime,
    balancer: new Balancer(systemRandom, clock),
    find: (instance) => table.find(instance),
    candidates: (service, built) => table.candidates(service, built),
    linkTo: ({ instance }) => peers.linkTo(instance),
    dial: ({ instance, host, port: to }) => peers.dial({ node: instance, host, port: to }),
    unreachable: ({ instance }) => table.exclude(instance),
    streamAhead: 0,
    inProcess,
    announce: async () => {
      const services = Object.fromEntries(
        made.services().map(({ name, spec }) => [name, spec.version]),
      );
      const address = { host: "127.0.0.1", port };
      const who = { instance: node, node, app: defaultApp, services } as const;
      const what = { ...who, status: "up", issues: [] } as const;
      town.tell({ ...what, ...address });
    },
    onClose: async () => {
      await peers.close();
    },
  });
  mesh = made;
  return { mesh: made, runtime, peers, table };
}

const echo = defineContract("echo", {
  summary: "Says it again.",
  version: "1.0.0",
  operations: {
    say: {
      summary: "Say.",
      request: t.Object({ text: t.String() }),
      response: t.Object({ text: t.String() }),
    },
  },
});

/** Provides the echo on a node; answers how another one calls it. */
export function provideEcho({ mesh, runtime }: TownNode): (node: TownNode) => Client<typeof echo> {
  const runners = listOperations(echo.spec.operations).map(
    (operation) => new OperationRunner(echo, operation, { handler: (request) => request, runtime }),
  );
  mesh.provide({ contract: echo, runners });
  return (node) => node.mesh.client(echo, { caller: "test" });
}
