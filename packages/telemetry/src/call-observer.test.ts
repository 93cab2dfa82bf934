import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { BanyanError, createSeededRandom } from "@banyan/kernel";
import { CallContext, CallRuntime, anonymous } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import { createCallObserver } from "./call-observer.ts";
import { createMetrics } from "./metrics.ts";
import { Tracer } from "./tracer.ts";

const runtime = new CallRuntime({ clock: new FakeClock() });

function callOf(name: string, service = "greeter"): CallContext {
  const target = { service, name, timeoutMs: 1_000 };
  return new CallContext(target, runtime, { mode: "strict", principal: anonymous });
}

const busy = new BanyanError({ kind: "resource_exhausted", code: "BUSY", message: "Busy." });

test("every call is measured by its operation, in seconds", () => {
  const metrics = createMetrics();
  const observer = createCallObserver(metrics, { buckets: [0.001, 0.1] });
  observer.ended(callOf("greeter.greet"), undefined, 0.5);
  observer.ended(callOf("greeter.greet"), undefined, 50);
  observer.ended(callOf("greeter.admin.reset"), undefined, 500);
  const text = metrics.render();
  const greet = 'rpc_service="greeter",rpc_method="greet"';
  assert.ok(text.includes(`rpc_server_duration_seconds_bucket{${greet},le="0.001"} 1\n`));
  assert.ok(text.includes(`rpc_server_duration_seconds_bucket{${greet},le="0.1"} 2\n`));
  assert.ok(text.includes(`rpc_server_duration_seconds_sum{${greet}} 0.0505\n`));
  assert.ok(text.includes('rpc_method="admin.reset",le="0.1"} 0\n'));
});

test("errors are counted by operation and kind", () => {
  const metrics = createMetrics();
  const observer = createCallObserver(metrics);
  for (let count = 0; count < 3; count += 1) observer.ended(callOf("greeter.greet"), busy, 1);
  observer.ended(callOf("other.greet"), busy, 1);
  const text = metrics.render();
  const labels = 'rpc_service="greeter",rpc_method="greet",error_type="resource_exhausted"';
  assert.ok(text.includes(`rpc_server_errors_total{${labels}} 3\n`));
  assert.ok(
    text.includes('rpc_server_duration_seconds_count{rpc_service="greeter",rpc_method="greet"} 3'),
  );
});

test("faults are counted from 0 on, other kinds when they first occur", () => {
  const metrics = createMetrics();
  const observer = createCallObserver(metrics);
  assert.deepEqual(errorsOf(metrics.render()), []);
  observer.ended(callOf("greeter.greet"), undefined, 1);
  const kinds = ["internal", "unavailable", "deadline_exceeded", "resource_exhausted"];
  const zeros = kinds.map((kind) => `${kind} 0`);
  assert.deepEqual(errorsOf(metrics.render()), zeros);
  const missing = new BanyanError({ kind: "not_found", code: "NONE", message: "None." });
  observer.ended(callOf("greeter.greet"), missing, 1);
  observer.ended(callOf("greeter.greet"), busy, 1);
  assert.deepEqual(errorsOf(metrics.render()), [
    ...zeros.slice(0, -1),
    "resource_exhausted 1",
    "not_found 1",
  ]);
});

/** Kind and count of each series. */
function errorsOf(text: string): string[] {
  const series = text.matchAll(/^rpc_server_errors_total\{.*error_type="(\w+)"\} (\d+)$/gm);
  return [...series].map(([, kind, count]) => `${kind} ${count}`);
}

test("calls in flight are asked for when somebody looks", () => {
  const metrics = createMetrics();
  let inFlight = 4;
  createCallObserver(metrics, { inFlight: () => inFlight });
  assert.match(metrics.render(), /^rpc_server_active_calls 4$/m);
  inFlight = 0;
  assert.match(metrics.render(), /^rpc_server_active_calls 0$/m);
});

/** Keeps every trace. */
function openTracing() {
  const metrics = createMetrics();
  const clock = new FakeClock();
  const tracer = new Tracer({
    clock,
    random: createSeededRandom(1),
    recent: { add: () => undefined },
    sinks: [],
    ratio: 1,
    perSecondMax: 10,
    slowMs: 1000,
    failuresPerSecondMax: 10,
    remotePerSecondMax: 10,
    spansMax: 10,
    notedMax: 10,
    callSites: false,
  });
  const observer = createCallObserver(metrics, { tracer });
  return { metrics, observer, runtime: new CallRuntime({ clock, observer }) };
}

test("an exemplar of a failed handler stands on the series of its failure", () => {
  const { metrics, observer, runtime: watched } = openTracing();
  const shape = {
    kind: "consumer",
    attributes: () => ({ "messaging.destination.name": "a.b" }),
  } as const;
  const target = { service: "mail", name: "mail.onB", timeoutMs: 1_000 };
  const init = { mode: "tolerant", principal: anonymous, shape } as const;
  observer.ended(new CallContext(target, watched, init), busy, 1);
  const lines = metrics.render("openmetrics").split("\n");
  const withExemplar = lines.filter((line) => line.includes(" # "));
  assert.equal(withExemplar.length, 1);
  assert.match(withExemplar[0] ?? "", /error_type="resource_exhausted",le="0\.005"\} 1 # /);
});

test("an exemplar holds no call, and so no request and no message", async () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const { metrics, observer, runtime: watched } = openTracing();
  const target = { service: "mail", name: "mail.onB", timeoutMs: 1_000 };
  const handle = (): WeakRef<object> => {
    const message = { topic: "a.b" };
    const attributes = () => ({ "messaging.destination.name": message.topic });
    const shape = { kind: "consumer", attributes } as const;
    const init = { mode: "tolerant", principal: anonymous, shape } as const;
    const call = new CallContext(target, watched, init);
    void call.trace; // as a log line or a call to another service asks for it
    observer.ended(call, undefined, 1);
    return new WeakRef(message);
  };
  const message = handle();
  await setImmediate(); // until then a WeakRef is strong
  collect();
  assert.equal(message.deref(), undefined);
  assert.match(metrics.render("openmetrics"), / # \{trace_id="/);
});
