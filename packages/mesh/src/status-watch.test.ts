import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadFigures } from "./load-meter.ts";
import { StatusWatch } from "./status-watch.ts";
import type { HealthReport } from "./status-watch.ts";

const idle = { load: 0, eventLoop: 0, cpu: 0, memory: 0, calls: 0 };
const busy = (share: number): LoadFigures => ({ ...idle, load: share, cpu: share });

test("a load about the bound does not flap", () => {
  const watch = new StatusWatch(0.8, undefined);
  const seen = [0.79, 0.8, 0.75, 0.79, 0.71, 0.69, 0.79].map(
    (share) => watch.look(busy(share)).status,
  );
  const [up, degraded] = ["up", "degraded"] as const;
  assert.deepEqual(seen, [up, degraded, degraded, degraded, degraded, up, up]);
});

test("what is high is named, and the same for as long as it is", () => {
  const watch = new StatusWatch(0.8, undefined);
  const first = watch.look(busy(0.9));
  assert.deepEqual(first.issues, ["its load is high: its process takes a core and more"]);
  assert.deepEqual(watch.look(busy(0.99)), first);
});

test("the host's word counts beside the load: the worse of both, with all issues", () => {
  let said: HealthReport = { status: "up", issues: [] };
  const watch = new StatusWatch(0.8, () => said);
  assert.deepEqual(watch.look(idle), { status: "up", issues: [] });
  said = { status: "degraded", issues: ["state:redis is away"] };
  assert.deepEqual(watch.look(idle), said);
  assert.equal(watch.look(busy(1)).issues.length, 2);
  said = { status: "up", issues: ["an issue is no wellness"] };
  assert.equal(new StatusWatch(0.8, () => said).look(idle).status, "degraded");
});

test("who cannot say how it is is degraded, and gives nothing away", () => {
  const watch = new StatusWatch(0.8, () => {
    throw new Error("password 1234");
  });
  const { status, issues } = watch.look(idle);
  assert.equal(status, "degraded");
  assert.deepEqual(issues, ["its health could not be told"]);
});

test("what is told of issues is bounded", () => {
  const issues = Array.from({ length: 100 }, () => "x".repeat(1000));
  const told = new StatusWatch(0.8, () => ({ status: "degraded", issues })).look(idle).issues;
  assert.deepEqual([told.length, told[0]?.length], [20, 200]);
});
