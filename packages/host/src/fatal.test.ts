/** A bus that finds that its node should end, and be started again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineContract, defineService } from "@banyan/kernel";
import { memoryBus, messagingErrors } from "@banyan/messaging";
import type { BusOpenOptions, BusProvider } from "@banyan/messaging";
import { createRecordingLog, withTimeout } from "@banyan/testbed";
import { openNode } from "./node.ts";
import type { Node } from "./node.ts";
import { eventually, flagsOf } from "./sample-node.test.ts";

const outage = messagingErrors.MESSAGING_UNAVAILABLE("The server is away for too long.");
const contract = defineContract("slow", { summary: "For a test.", version: "1.0.0", layer: "L1" });
const log = createRecordingLog();

interface World {
  /** The node has its bus. */
  isOpen(): boolean;
  fail(error: Error): void;
  readonly starting: PromiseWithResolvers<void>;
  readonly stopping: PromiseWithResolvers<void>;
  readonly opening: Promise<Node>;
}

/** A node whose bus can fail it, and whose service waits in its hooks. */
function openFailing(): World {
  let given: BusOpenOptions = {};
  const bus: BusProvider = {
    ...memoryBus,
    durability: "durable",
    openBus: (options) => memoryBus.openBus((given = options)),
  };
  const starting = Promise.withResolvers<void>();
  const stopping = Promise.withResolvers<void>();
  const hooks = { start: () => starting.promise, stop: () => stopping.promise };
  const opening = openNode({
    services: [defineService(contract, () => hooks)],
    findEngine: async () => ({ bus }),
    config: {
      flags: flagsOf({ "/engines/durable": "memory", "/engines/bus": "failing", "/http/port": 0 }),
    },
    log,
  });
  const isOpen = (): boolean => given.onFatal !== undefined;
  return { isOpen, fail: (error) => given.onFatal?.(error), starting, stopping, opening };
}

test("a node that a bus ends drains, says why, and tells the program", async () => {
  const { fail, starting, stopping, opening } = openFailing();
  starting.resolve();
  const node = await opening;
  const readiness = async (): Promise<unknown> => (await fetch(`${node.url}/readyz`)).json();
  const before = await readiness();
  assert.ok(typeof before === "object" && before !== null && !("reason" in before));
  fail(outage);
  fail(new Error("A second one."));
  assert.equal(await withTimeout(node.failed, { what: "Its failure" }), outage);
  assert.equal(node.phase, "draining");
  const answer = await fetch(`${node.url}/readyz`);
  const page: unknown = await answer.json();
  assert.equal(answer.status, 503);
  assert.ok(typeof page === "object" && page !== null && "reason" in page && "phase" in page);
  assert.deepEqual([page.phase, page.reason], ["draining", outage.message]);
  stopping.resolve();
  await eventually(() => node.phase === "stopped");
  assert.deepEqual(node.drained, { unhandled: 0, lost: 0 });
  const said = log.lines.filter(({ message }) => message.startsWith("the node cannot go on"));
  assert.deepEqual(
    said.map(({ level, fields }) => [level, fields["error"]]),
    [["error", outage]],
  );
});

test("a node that a bus ends while it starts does not become ready", async () => {
  const { isOpen, fail, starting, stopping, opening } = openFailing();
  stopping.resolve();
  const refused = assert.rejects(opening, { code: "MESSAGING_UNAVAILABLE" });
  await eventually(isOpen);
  fail(outage);
  starting.resolve();
  await refused;
});
