/** What is seen of a fleet: events, the operator's rows, metrics. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, on } from "@banyan/kernel";
import type { InstanceRecord } from "@banyan/mesh";
import { openNode } from "./node.ts";
import { nodeContract } from "./node-contract.ts";
import { openBed, untilSo, urlOf } from "./sample-fleet.test.ts";
import { defineSample, eventually, request, sample } from "./sample-node.test.ts";

const watcher = defineContract("watcher", {
  summary: "Looks on.",
  version: "1.0.0",
  subscriptions: {
    joined: on(nodeContract, "endpointJoined"),
    left: on(nodeContract, "endpointLeft"),
    degraded: on(nodeContract, "endpointDegraded"),
    recovered: on(nodeContract, "endpointRecovered"),
  },
});

describe("What becomes of the nodes of a fleet", () => {
  test("is told as events, by one node for all, who leaves by itself", async () => {
    await using bed = openBed();
    const heard: string[] = [];
    const hear =
      (what: string) =>
      (event: { node: string; toldBy: string; reason?: string; issues?: readonly string[] }) => {
        const why = event.reason ?? event.issues?.join() ?? "";
        heard.push(`${event.toldBy}: ${event.node} ${what} ${why}`.trim());
      };
    const [joined, left] = [hear("joined"), hear("left")];
    const [degraded, recovered] = [hear("degraded"), hear("recovered")];
    const look = defineService(watcher, () => ({
      subscriptions: { joined, left, degraded, recovered },
    }));
    const hears = (what: string) => eventually(() => heard.includes(what));
    const first = await bed.open("a", [look]);
    const other = await bed.open("b", [look]);
    await hears("a: b joined");
    const registry = await bed.registry();
    const who = { instance: "z", node: "z", app: "banyan", host: "127.0.0.1", port: 1 } as const;
    const write = async (own: Pick<InstanceRecord, "status" | "issues">, leaseMs: number) => {
      await registry.write({ ...who, services: {}, ...own }, leaseMs);
      await registry.changed();
    };
    await write({ status: "up", issues: [] }, 60_000);
    await hears("a: z joined");
    await write({ status: "degraded", issues: ["it is tired"] }, 60_000);
    await hears("a: z degraded it is tired");
    await write({ status: "up", issues: [] }, 60_000);
    await hears("a: z recovered");
    await write({ status: "up", issues: [] }, 1);
    await hears("a: z left expired");
    await other.close();
    await hears("b: b left graceful");
    await untilSo(async () => {
      const { text } = await request(urlOf(first), "/metrics");
      return ["graceful", "expired"].every((reason) =>
        text.includes(`banyan_mesh_left_total{reason="${reason}"} 1`),
      );
    });
    const { text: counted } = await request(urlOf(first), "/metrics");
    assert.match(counted, /^banyan_mesh_left_total\{reason="unreachable"\} 0$/m);
    assert.deepEqual(heard.toSorted(), [
      "a: a joined",
      "a: b joined",
      "a: z degraded it is tired",
      "a: z joined",
      "a: z left expired",
      "a: z recovered",
      "b: b left graceful",
    ]);
  });

  test("is shown with its load, its issues and its age, and counted", async () => {
    await using bed = openBed();
    // Any process takes more of its memory than that.
    await bed.open("b", [defineSample()], { "/mesh/loadMax": 1e-6 });
    const node = await bed.open("a", []);
    const client = node.client(nodeContract);
    const rows = async () => (await client.mesh.endpoints({})).endpoints;
    const isBusy = async () => (await rows()).some(({ status }) => status === "degraded");
    const areMeasured = async () => (await rows()).every(({ load }) => load !== undefined);
    await untilSo(async () => (await isBusy()) && (await areMeasured()));
    const [own, busy] = await rows();
    assert.deepEqual([own?.status, busy?.status], ["up", "degraded"]);
    assert.match(busy?.issues?.[0] ?? "", /^its load is high: /);
    assert.equal(own?.issues, undefined);
    for (const row of [own, busy]) {
      assert(row?.load !== undefined && row.load > 0 && row.load <= 1);
      assert(Math.abs(Date.parse(row.startedAt ?? "") - Date.now()) < 60_000);
    }
    assert.equal((await node.client(sample).greet({ name: "Ada" })).count, 1, "there is no other");
    const { text } = await request(urlOf(node), "/metrics");
    assert.match(text, /^banyan_mesh_instances\{app="banyan",status="up"\} 1$/m);
    assert.match(text, /^banyan_mesh_instances\{app="banyan",status="degraded"\} 1$/m);
    assert.match(text, /^banyan_mesh_instances\{app="banyan",status="draining"\} 0$/m);
    assert.match(text, /^banyan_mesh_connections [1-9]$/m);
    for (const part of ["event_loop", "lag", "cpu", "memory", "calls"]) {
      assert.match(text, new RegExp(`^banyan_mesh_load_ratio\\{part="${part}"\\} [01]`, "m"));
    }
  });

  test("is not counted where a node is alone", async () => {
    await using alone = await openNode({ services: [], inMemory: true });
    assert.doesNotMatch((await request(urlOf(alone), "/metrics")).text, /banyan_mesh/);
  });
});
