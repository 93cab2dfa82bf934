/** Start and stop of a node: orders, bounds, and what happens when a part does not behave. */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { describe, test } from "node:test";
import { defineContract, defineService, on, t } from "@banyan/kernel";
import type { Health, ServiceDefinition } from "@banyan/kernel";
import { memoryBus } from "@banyan/messaging";
import { memoryState } from "@banyan/state";
import { createRecordingLog, FakeClock, freePort, withTimeout } from "@banyan/testbed";
import { openNode } from "./node.ts";
import { eventually, flagsOf, openSample, post, request, sample } from "./sample-node.test.ts";

const summary = "For a test.";
const version = "1.0.0";

interface Hooks {
  readonly start?: (signal: AbortSignal) => Promise<void> | void;
  readonly run?: (signal: AbortSignal) => Promise<void>;
  readonly stop?: () => Promise<void> | void;
  readonly health?: () => Promise<Health> | Health;
}

/** Services `a` ← `b` ← `c`, each using the one before, that tell `story` of their hooks. */
function chain(story: string[], hooks: Readonly<Record<string, Hooks>> = {}): ServiceDefinition[] {
  const a = defineContract("a", { summary, version, layer: "L1" });
  const b = defineContract("b", { summary, version, layer: "L1", uses: { a } });
  const c = defineContract("c", { summary, version, layer: "L1", uses: { b } });
  return [c, a, b].map((contract) =>
    defineService(contract, () => {
      const { name } = contract;
      story.push(`build ${name}`);
      const own = hooks[name] ?? {};
      return {
        start(signal: AbortSignal) {
          story.push(`start ${name}`);
          return own.start?.(signal);
        },
        stop() {
          story.push(`stop ${name}`);
          return own.stop?.();
        },
        ...(own.run === undefined ? {} : { run: own.run }),
        ...(own.health === undefined ? {} : { health: own.health }),
      };
    }),
  );
}

const noHttp = { flags: flagsOf({ "/http/enabled": false }) };

describe("Start", () => {
  test("builds everything first, then starts by dependency, and stops in reverse", async () => {
    const story: string[] = [];
    const node = await openNode({ services: chain(story), inMemory: true, config: noHttp });
    assert.deepEqual(story.splice(0), [
      "build a",
      "build b",
      "build c",
      "start a",
      "start b",
      "start c",
    ]);
    await Promise.all([node.close(), node.close()]);
    await node.close();
    assert.deepEqual(story, ["stop c", "stop b", "stop a"]);
    assert.equal(node.phase, "stopped");
  });

  test("that fails stops what was built, in reverse, and says whose fault it was", async () => {
    const story: string[] = [];
    const failing = { b: { start: () => Promise.reject(new Error("no licence")) } };
    const log = createRecordingLog();
    const opening = openNode({
      services: chain(story, failing),
      inMemory: true,
      config: noHttp,
      log,
    });
    await assert.rejects(opening, { code: "NODE_START_FAILED", message: /"b" failed to start/ });
    assert.deepEqual(story.slice(3), ["start a", "start b", "stop c", "stop b", "stop a"]);
  });

  test("that fails in a factory names the service and keeps the cause", async () => {
    const contract = defineContract("torn", { summary, version });
    const cause = new Error("disk full");
    const service = defineService(contract, () => {
      throw cause;
    });
    const opening = openNode({ services: [service], inMemory: true, config: noHttp });
    await assert.rejects(opening, (error: Error) => {
      assert.match(error.message, /"torn" could not be built: disk full/);
      assert.equal(error.cause, cause);
      return true;
    });
  });

  test("says which handler plain JavaScript left out", async () => {
    const build = (): object => ({ operations: {} });
    const service: ServiceDefinition = { kind: "banyan.service", contract: sample, build };
    const opening = openNode({ services: [service], inMemory: true, config: noHttp });
    await assert.rejects(opening, { code: "NODE_START_FAILED", message: /operation "greet"/ });
  });

  test("that hangs ends after node.startTimeoutMs for all hooks together", async () => {
    const clock = new FakeClock();
    const signals: AbortSignal[] = [];
    const slow = (): Promise<void> => clock.sleep(40_000);
    const hang = (signal: AbortSignal): Promise<void> => {
      signals.push(signal);
      return new Promise(() => undefined);
    };
    const services = chain([], { a: { start: slow }, b: { start: hang } });
    const opening = openNode({ services, inMemory: true, config: noHttp, clock });
    const refused = assert.rejects(opening, {
      code: "NODE_START_FAILED",
      message: /"b" had not started/,
    });
    await clock.advance(60_000);
    await refused;
    assert.equal(signals[0]?.aborted, true);
  });

  test("can be cancelled by the program while a hook hangs", async () => {
    const stop = new AbortController();
    const story: string[] = [];
    const services = chain(story, { b: { start: () => new Promise(() => stop.abort()) } });
    const opening = openNode({ services, inMemory: true, config: noHttp, signal: stop.signal });
    await assert.rejects(opening, { code: "NODE_START_FAILED", message: /cancelled/ });
    assert.deepEqual(story.slice(-3), ["stop c", "stop b", "stop a"]);
  });

  test("names a port that is taken", async () => {
    const holder = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => holder.once("listening", resolve));
    // A server that listens on TCP has an address object.
    const { port } = holder.address() as AddressInfo;
    const opening = openNode({
      services: [],
      inMemory: true,
      config: { flags: flagsOf({ "/http/port": port }) },
    });
    await assert.rejects(opening, {
      code: "NODE_START_FAILED",
      message: /the port is taken; stop/,
    });
    holder.close();
  });

  test("serves health from the first hook on, but takes no calls", async () => {
    const gate = Promise.withResolvers<void>();
    let url = "";
    const contract = defineContract("slow", {
      summary,
      version,
      operations: { ping: { summary, access: "anonymous" } },
    });
    const service = defineService(contract, () => ({
      operations: { ping: () => undefined },
      start: () => gate.promise,
    }));
    const port = await freePort();
    url = `http://localhost:${port}`;
    const opening = openNode({
      services: [service],
      inMemory: true,
      config: { flags: flagsOf({ "/http/port": port }) },
    });
    const ready = async (): Promise<number> => (await request(url, "/readyz")).status;
    await withTimeout(
      pollUntil(async () => (await ready().catch(() => 0)) === 503),
      { what: "Serving" },
    );
    const live = await request(url, "/healthz");
    assert.equal(live.status, 200);
    const early = await post([url, "/slow/ping"], "{}");
    assert.equal(early.status, 503);
    assert.equal(early.body["code"], "NODE_STARTING");
    assert.equal(early.headers.get("retry-after"), "1");
    gate.resolve();
    await using _node = await opening;
    assert.equal(await ready(), 200);
    assert.equal((await post([url, "/slow/ping"], "{}")).status, 204);
  });
});

describe("Background work", () => {
  test("begins when the node is ready and is told to end first", async () => {
    const story: string[] = [];
    const run = async (signal: AbortSignal): Promise<void> => {
      story.push("run a");
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      story.push("ended a");
    };
    const node = await openNode({
      services: chain(story, { a: { run } }),
      inMemory: true,
      config: noHttp,
    });
    assert.deepEqual(story.slice(-2), ["start c", "run a"]);
    await node.close();
    assert.deepEqual(story.slice(-4), ["ended a", "stop c", "stop b", "stop a"]);
  });

  for (const [title, run] of [
    ["fails", () => Promise.reject(new Error("lost"))],
    ["ends by itself", () => Promise.resolve()],
  ] as const) {
    test(`that ${title} makes its service unhealthy`, async () => {
      const log = createRecordingLog();
      await using node = await openNode({
        services: chain([], { a: { run } }),
        inMemory: true,
        log,
      });
      const ready = await request(node.url ?? "", "/readyz");
      assert.equal(ready.status, 503);
      assert.match(ready.text, /background work/);
      assert.doesNotMatch(ready.text, /lost/);
      assert.equal(
        log.lines.filter(({ message }) => message.startsWith("background work")).length,
        1,
      );
    });
  }
});

describe("Stop", () => {
  test("lets calls in flight finish, and takes no new ones", async () => {
    const { node, probe, url } = await openSample();
    const running = post([url, "/sample/hang"], "{}");
    await eventually(() => probe.calls.length === 1);
    const closing = node.close();
    const refused = await post([url, "/sample/ping"], "{}");
    assert.equal(refused.status, 503);
    assert.equal(refused.body["code"], "NODE_DRAINING");
    assert.equal((await request(url, "/readyz")).status, 503);
    probe.release();
    assert.equal((await running).status, 204);
    await closing;
  });

  test("tells those that are not finished in time that their end is not known", async () => {
    const { node, probe, url, log } = await openSample({ "/node/stopTimeoutMs": 50 });
    const running = post([url, "/sample/hang"], "{}");
    await eventually(() => probe.calls.length === 1);
    await node.close();
    const { status, body } = await running;
    assert.equal(status, 503);
    assert.match(String(body["detail"]), /whether it took effect is not known/);
    assert.equal(body["retryable"], false);
    assert.deepEqual(probe.aborted, ["hang"]);
    assert.ok(log.lines.some(({ message }) => message === "calls were cut off by the stop"));
  });

  test("ends although hooks, work and engines hang", async () => {
    const clock = new FakeClock();
    const log = createRecordingLog();
    const never = (): Promise<void> => new Promise(() => undefined);
    const hanging = {
      name: "hanging",
      kinds: memoryState.kinds,
      capabilities: memoryState.capabilities,
      openState: async (options: Parameters<typeof memoryState.openState>[0]) => {
        const engine = await memoryState.openState(options);
        engine[Symbol.asyncDispose] = never;
        return engine;
      },
    };
    const story: string[] = [];
    const node = await openNode({
      services: chain(story, { a: { stop: never }, b: { run: never }, c: { stop: never } }),
      findEngine: async () => ({ state: hanging, bus: memoryBus }),
      config: {
        flags: flagsOf({
          "/http/enabled": false,
          "/engines/durable": "memory",
          "/engines/bus": "memory",
          "/engines/ephemeral": "hanging",
        }),
      },
      clock,
      log,
    });
    const closing = node.close();
    for (let second = 0; second < 20; second += 1) await clock.advance(1000);
    await withTimeout(closing, { what: "The stop" });
    assert.deepEqual(story.slice(-3), ["stop c", "stop b", "stop a"]);
    const said = log.lines.map(({ message }) => message);
    assert.ok(said.includes("background work did not end"));
    assert.equal(said.filter((message) => message === "stop hook did not end").length, 2);
    assert.ok(said.includes("closing did not end"));
  });

  test("goes on when a hook fails", async () => {
    const story: string[] = [];
    const log = createRecordingLog();
    const services = chain(story, { b: { stop: () => Promise.reject(new Error("stuck")) } });
    const node = await openNode({ services, inMemory: true, config: noHttp, log });
    await node.close();
    assert.deepEqual(story.slice(-3), ["stop c", "stop b", "stop a"]);
    assert.ok(log.lines.some(({ message }) => message === "stop hook failed"));
  });

  test("hands out accepted events before the stop hooks run", async () => {
    const story: string[] = [];
    const source = defineContract("source", { summary, version, events: { told: t.Object({}) } });
    const reader = defineContract("reader", {
      summary,
      version,
      subscriptions: { heard: on(source, "told") },
    });
    let tell = (): Promise<unknown> => Promise.resolve();
    const services = [
      defineService(source, ({ publish }) => {
        tell = () => publish("told", {});
        return {};
      }),
      defineService(reader, () => ({
        subscriptions: { heard: () => void story.push("heard") },
        stop: () => void story.push("stop reader"),
      })),
    ];
    const node = await openNode({ services, inMemory: true, config: noHttp });
    await Promise.all([tell(), tell(), tell()]);
    await node.close();
    assert.deepEqual(story, ["heard", "heard", "heard", "stop reader"]);
  });
});

describe("Health", () => {
  const states: [health: Hooks["health"], status: number, state: string, reason: RegExp][] = [
    [() => ({ kind: "healthy" }), 200, "running", /^$/],
    [() => ({ kind: "degraded", reason: "cold cache" }), 200, "degraded", /cold cache/],
    [() => ({ kind: "unhealthy", reason: "no disk" }), 503, "unhealthy", /no disk/],
    [() => Promise.reject(new Error("hunter2")), 503, "unhealthy", /log has it/],
    // Plain JavaScript may answer anything.
    [() => undefined as never, 503, "unhealthy", /no health/],
  ];
  for (const [health, status, state, reason] of states) {
    test(`a service that is ${state} makes /readyz ${status} and leaves /healthz 200`, async () => {
      const services = chain([], { b: health === undefined ? {} : { health } });
      await using node = await openNode({ services, inMemory: true });
      const ready = await request(node.url ?? "", "/readyz");
      assert.equal(ready.status, status, ready.text);
      // Its shape is this package's own `Readiness`.
      const part = (ready.body["services"] as Record<string, { state: string; reason?: string }>)[
        "b"
      ];
      assert.equal(part?.state, state);
      assert.match(part?.reason ?? "", reason);
      assert.doesNotMatch(ready.text, /hunter2/);
      assert.equal((await request(node.url ?? "", "/healthz")).status, 200);
    });
  }

  test("a probe that hangs is unhealthy after two seconds, for all who wait", async () => {
    const clock = new FakeClock();
    let asked = 0;
    const health = (): Promise<Health> => {
      asked += 1;
      return new Promise(() => undefined);
    };
    const node = await openNode({ services: chain([], { a: { health } }), inMemory: true, clock });
    const waiting = Array.from({ length: 5 }, () => request(node.url ?? "", "/readyz"));
    await eventually(() => asked > 0);
    let done = false;
    const all = Promise.all(waiting).finally(() => (done = true));
    while (!done) await clock.advance(500);
    for (const { status, text } of await all) {
      assert.equal(status, 503);
      assert.match(text, /did not answer within 2000 ms/);
    }
    assert.ok(asked <= 5);
    await node.close();
  });

  test("an engine that is not well is named, without its raw cause", async () => {
    const ill = {
      ...memoryState,
      openState: async (options: Parameters<typeof memoryState.openState>[0]) => {
        const engine = await memoryState.openState(options);
        engine.check = () => Promise.reject(new Error("password hunter2"));
        return engine;
      },
    };
    await using node = await openNode({
      services: [],
      findEngine: async () => ({ state: ill }),
      config: {
        flags: flagsOf({
          "/http/port": 0,
          "/engines/durable": "memory",
          "/engines/bus": "memory",
          "/engines/ephemeral": "ill",
          "/log/level": "silent",
        }),
      },
    });
    const ready = await request(node.url ?? "", "/readyz");
    assert.equal(ready.status, 503);
    assert.match(ready.text, /"state:ill":\{"state":"unhealthy"/);
    assert.doesNotMatch(ready.text, /hunter2/);
  });
});

async function pollUntil(holds: () => Promise<boolean>): Promise<void> {
  while (!(await holds()));
}
