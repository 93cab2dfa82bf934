/**
 * What an exporter does to its process. Run with an argument, this file is a process that exports
 * to that endpoint and then has nothing more to do.
 */

import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { test } from "node:test";
import { findFreePorts, spawnNode, temporaryDirectory, until, withTimeout } from "@banyan/testbed";
import type { Child } from "@banyan/testbed";
import { OtlpProtocol } from "./otlp-options.ts";
import { openReceiver } from "./otlp-receiver.test.ts";
import { sampleSpan } from "./otlp-spans.test.ts";

const [, , mode, endpoint = "", protocol = ""] = process.argv;

if (mode === undefined) {
  describeLife();
  describeLoading();
} else await exportSomething();

async function exportSomething(): Promise<void> {
  const [{ openOtlpExporter }, { createMetrics }] = await Promise.all([
    import("@banyan/telemetry/otlp"),
    import("@banyan/telemetry"),
  ]);
  const chosen = Object.values(OtlpProtocol).find((each) => each === protocol) ?? "http/json";
  // Longer than the test has patience: whatever holds the process must not be the time limit's.
  const timeoutMs = 600_000;
  const exporter = openOtlpExporter({
    endpoint,
    protocol: chosen,
    resource: { serviceName: "short" },
    intervalMs: 1,
    timeoutMs,
    metrics: { registry: createMetrics() },
  });
  exporter.add([sampleSpan()]);
  if (mode === "stay") {
    // Stays until it is told that there is nothing more to do.
    const stay = setInterval(() => process.stdout.write(`${exporter.health().state}\n`), 10);
    process.once("SIGUSR2", () => clearInterval(stay));
    return;
  }
  if (mode === "flush") await exporter.flush();
  else await exporter.close();
  process.stdout.write(`sent ${exporter.health().sentSpans}\n`);
}

function describeLife(): void {
  const protocols = Object.values(OtlpProtocol);
  const gone = { code: 0, signal: null };
  const startStaying = (to: string, by: string): Child =>
    spawnNode(import.meta.filename, ["stay", to, by]);

  test("an exporter keeps no process alive, neither by a request nor by a wait", async () => {
    await using receiver = await openReceiver();
    const [nobody = 0] = await findFreePorts(1);
    await receiver.answer(...protocols.map(() => ({ kind: "hang" }) as const));
    await Promise.all(
      protocols.map(async (each) => {
        await using asking = startStaying(receiver.endpointFor(each), each);
        await using waiting = startStaying(`http://localhost:${nobody}`, each);
        await until(() => receiver.received.some((request) => request.protocol === each), {
          what: `The request by ${each}`,
        });
        asking.signal("SIGUSR2");
        await waiting.waitForLine(/^failing$/);
        waiting.signal("SIGUSR2");
        for (const child of [asking, waiting]) {
          const exit = await withTimeout(child.exited, { what: `The end of a process (${each})` });
          assert.deepEqual(exit, gone);
          assert.equal(child.stderr, "");
        }
      }),
    );
  });

  test("flush and close keep it alive until they are done", async () => {
    await using receiver = await openReceiver();
    await Promise.all(
      protocols.map(async (each) => {
        for (const way of ["flush", "close"]) {
          const target = receiver.endpointFor(each);
          await using child = spawnNode(import.meta.filename, [way, target, each]);
          assert.deepEqual(await child.exited, gone);
          assert.equal(child.stdout, "sent 1\n");
        }
      }),
    );
    assert.equal((await receiver.untilReceived(6)).length, 6);
  });
}

function describeLoading(): void {
  test("the exporter is loaded by who asks for it, and by nobody else", async () => {
    await using folder = await temporaryDirectory("otlp-loading");
    const telemetry = import.meta.resolve("@banyan/telemetry");
    const internal = import.meta.resolve("@banyan/telemetry/internal");
    const door = import.meta.resolve("@banyan/telemetry/otlp");
    await writeFile(
      folder.join("load.mjs"),
      `import { registerHooks } from "node:module";
      const loaded = [];
      registerHooks({ load: (url, context, next) => (loaded.push(url), next(url, context)) });
      await import(${JSON.stringify(telemetry)});
      await import(${JSON.stringify(internal)});
      const before = loaded.splice(0);
      await import(${JSON.stringify(door)});
      console.log(JSON.stringify([before, loaded]));`,
    );
    await using child = spawnNode(folder.join("load.mjs"));
    const { match } = await child.waitForLine(/^\[.*\]$/);
    const [before, after] = JSON.parse(match[0]) as [string[], string[]];
    const isOurs = (url: string): boolean => /\/otlp[/.]/.test(url);
    assert.ok(before.length > 10);
    assert.deepEqual(before.filter(isOurs), []);
    assert.ok(!before.includes("node:http2"));
    assert.ok(after.some(isOurs));
    // Nothing but this house and Node.
    assert.deepEqual(
      after.filter((url) => url.includes("/node_modules/")),
      [],
    );
  });
}
