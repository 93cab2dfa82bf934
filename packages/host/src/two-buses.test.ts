/** A node with a bus for durable and another for ephemeral events. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, on, t } from "@banyan/kernel";
import type { ServiceTools } from "@banyan/kernel";
import { memoryBus } from "@banyan/messaging";
import type { Bus, BusProvider } from "@banyan/messaging";
import { createRecordingLog } from "@banyan/testbed";
import { nodeContract } from "./node-contract.ts";
import { openNode } from "./node.ts";
import type { Node } from "./node.ts";
import { eventually, flagsOf, request } from "./sample-node.test.ts";

const head = { summary: "For a test.", version: "1.0.0", layer: "L1" } as const;
const step = t.Object({ at: t.Integer() });
const relay = defineContract("relay", {
  ...head,
  events: { kept: step, passing: { payload: step, durability: "ephemeral" } },
});
const runner = defineContract("runner", {
  ...head,
  subscriptions: { kept: on(relay, "kept"), passing: on(relay, "passing") },
});

interface World {
  readonly node: Node;
  readonly tools: ServiceTools<typeof relay>;
  readonly story: string[];
  readonly buses: Bus[];
  readonly log: ReturnType<typeof createRecordingLog>;
}

/** Each handler waits a moment, and passes an event on to the other bus until `last`. */
async function openRelay(last: number, ephemeralBus = "memory"): Promise<World> {
  const story: string[] = [];
  const buses: Bus[] = [];
  const log = createRecordingLog();
  let tools: ServiceTools<typeof relay> | undefined;
  const kept: BusProvider = {
    ...memoryBus,
    name: "kept",
    durability: "durable",
    async openBus(options) {
      const bus = await memoryBus.openBus(options);
      buses.push(bus);
      return bus;
    },
  };
  const pass = async (next: "kept" | "passing", at: number): Promise<void> => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    story.push(`${next === "kept" ? "passing" : "kept"} ${at}`);
    if (at < last) await tools?.publish(next, { at: at + 1 });
  };
  const node = await openNode({
    services: [
      defineService(relay, (given) => {
        tools = given;
        return {};
      }),
      defineService(runner, () => ({
        subscriptions: {
          kept: ({ at }) => pass("passing", at),
          passing: ({ at }) => pass("kept", at),
        },
      })),
    ],
    findEngine: async () => ({ bus: kept }),
    config: {
      flags: flagsOf({
        "/http/port": 0,
        "/engines/durable": "memory",
        "/engines/bus": "kept",
        "/engines/ephemeralBus": ephemeralBus,
      }),
    },
    log,
  });
  assert(tools !== undefined);
  return { node, tools, story, buses, log };
}

describe("Two buses", () => {
  test("carry each event by its durability", async () => {
    const { node, tools, story } = await openRelay(1);
    await tools.publish("kept", { at: 0 });
    await eventually(() => story.length === 2);
    const { buses } = await node.client(nodeContract).events.status({});
    assert.deepEqual(
      buses.map(({ name, carries, published }) => [name, carries, published]),
      [
        ["kept", ["durable"], 1],
        ["memory", ["ephemeral"], 1],
      ],
    );
    const { service } = await node.client(nodeContract).describe({ service: "relay" });
    assert.deepEqual(
      service.events.map(({ name, durability }) => [name, durability]),
      [
        ["kept", "durable"],
        ["passing", "ephemeral"],
      ],
    );
    await node.close();
  });

  test("are one where configuration names one for both", async () => {
    const { node, tools, story, buses } = await openRelay(1, "kept");
    await tools.publish("kept", { at: 0 });
    await eventually(() => story.length === 2);
    assert.equal(buses.length, 1);
    const { buses: rows } = await node.client(nodeContract).events.status({});
    assert.deepEqual(
      rows.map(({ name, carries }) => [name, carries]),
      [["kept", ["durable", "ephemeral"]]],
    );
    await node.close();
  });

  test("stay open in a stop until handlers have passed on what they had to", async () => {
    const { node, tools, story, log } = await openRelay(7);
    await tools.publish("kept", { at: 0 });
    await node.close();
    assert.deepEqual(
      story,
      Array.from({ length: 8 }, (_, at) => `${at % 2 === 0 ? "kept" : "passing"} ${at}`),
    );
    assert.deepEqual(
      log.lines.filter(({ level }) => level === "error"),
      [],
    );
  });

  test("do not keep a stop waiting for a group that has no member", async () => {
    const { node, buses } = await openRelay(0);
    const [bus] = buses;
    const spec = { name: "gone.group", topic: "gone.event", delivery: "group" } as const;
    await (await bus?.subscribe(spec, () => undefined))?.close();
    const message = { id: "m", topic: "gone.event", timestampMs: 0, body: {} };
    await bus?.publish({ ...message, headers: { source: "gone" } });
    const startedMs = performance.now();
    await node.close();
    assert.ok(performance.now() - startedMs < 3000);
  });

  test("are each asked for readiness, and ready again when they are well again", async () => {
    const { node, buses } = await openRelay(0);
    const [bus] = buses;
    assert(bus !== undefined);
    const { check } = bus;
    bus.check = () => Promise.reject(diskFull());
    const ill = await request(node.url ?? "", "/readyz");
    assert.equal(ill.status, 503);
    assert.match(ill.text, /"bus:kept":\{"state":"unhealthy","reason":"The disk is full/);
    assert.match(ill.text, /"bus:memory":\{"state":"running"\}/);
    bus.check = check.bind(bus);
    assert.equal((await request(node.url ?? "", "/readyz")).status, 200);
    await node.close();
  });
});

function diskFull(): Error {
  const { TEST_DISK_FULL } = defineContract("disk", {
    ...head,
    errors: { TEST_DISK_FULL: { kind: "unavailable", summary: "The disk is full." } },
  }).errors;
  return TEST_DISK_FULL("The disk is full; make room on it.");
}
