/** Run with an argument, this file is a node that logs to its standard error. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { defineContract, defineService } from "@banyan/kernel";
import { spawnNode } from "@banyan/testbed";
import { nodeContract } from "./node-contract.ts";
import { openNodeLog } from "./node-log.ts";
import { openNode } from "./node.ts";
import { resolveNodeOptions } from "./options.ts";
import { flagsOf } from "./sample-node.test.ts";

if (process.argv[2] === "node") await runNode();
else describeLog();

async function runNode(): Promise<void> {
  const contract = defineContract("noisy", {
    summary: "Logs.",
    version: "1.0.0",
    operations: { speak: { summary: "Speak.", access: "anonymous" } },
  });
  const service = defineService(contract, ({ log }) => ({
    operations: {
      speak() {
        log.debug("whispered");
        log.warn("spoken", { password: "hunter2" });
      },
    },
  }));
  const memory = { "/engines/durable": "memory", "/engines/bus": "memory" };
  await using node = await openNode({
    services: [service],
    config: { flags: flagsOf({ ...memory, "/http/enabled": false, "/log/format": "json" }) },
  });
  const speak = () => node.client(contract).speak({});
  const level = node.client(nodeContract).log;
  await speak();
  await level.set({ service: "noisy", level: "debug" });
  await speak();
  await level.set({ service: "noisy" });
  await speak();
  await level.set({ level: "error" });
  await speak();
  await assert.rejects(level.set({}), { code: "REQUEST_INVALID" });
  await assert.rejects(level.set({ service: "nosy", level: "warn" }), {
    code: "LOG_SERVICE_UNKNOWN",
  });
}

function describeLog(): void {
  test("nodes that come and go in one process leave one listener on standard error", async () => {
    const before = process.stderr.listenerCount("error");
    for (let count = 0; count < 20; count += 1) {
      await using disposables = new AsyncDisposableStack();
      openNodeLog(
        resolveNodeOptions({ services: [] }),
        { level: "info", format: "json", services: {} },
        disposables,
      );
    }
    assert.ok(process.stderr.listenerCount("error") <= before + 1);
  });

  test("every line of a call names its trace, and levels change at run time", async () => {
    await using child = spawnNode(import.meta.filename, ["node"]);
    const { code } = await child.exited;
    assert.equal(code, 0, child.stderr);
    const lines = child.stderr
      .split("\n")
      .filter((line) => line.startsWith("{"))
      .map((line): unknown => JSON.parse(line))
      .filter((line) => JSON.stringify(line).includes('"service":"noisy"'));
    const spoken = { level: "warn", message: "spoken", operation: "noisy.speak" };
    const whispered = { level: "debug", message: "whispered", operation: "noisy.speak" };
    assert.partialDeepStrictEqual(lines, [
      { ...spoken, password: "[secret]" },
      whispered,
      spoken,
      spoken,
    ]);
    assert.equal(lines.length, 4);
    for (const line of lines) {
      assert.match(JSON.stringify(line), /"traceId":"[0-9a-f]{32}","spanId":"[0-9a-f]{16}"/);
    }
  });
}
