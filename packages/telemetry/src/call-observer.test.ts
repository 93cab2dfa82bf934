import assert from "node:assert/strict";
import { test } from "node:test";
import { BanyanError } from "@banyan/kernel";
import { CallContext, CallRuntime, anonymous } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import { createCallObserver } from "./call-observer.ts";
import { createMetrics } from "./metrics.ts";

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
  assert.doesNotMatch(text, /errors_total\{/);
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

test("calls in flight are asked for when somebody looks", () => {
  const metrics = createMetrics();
  let inFlight = 4;
  createCallObserver(metrics, { inFlight: () => inFlight });
  assert.match(metrics.render(), /^rpc_server_active_calls 4$/m);
  inFlight = 0;
  assert.match(metrics.render(), /^rpc_server_active_calls 0$/m);
});
