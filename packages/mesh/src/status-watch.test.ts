import assert from "node:assert/strict";
import { test } from "node:test";
import type { LoadFigures } from "./load-meter.ts";
import { StatusWatch } from "./status-watch.ts";
import type { HealthReport } from "./status-watch.ts";

const idle = { load: 0, eventLoop: 0, lag: 0, cpu: 0, memory: 0, calls: 0 };
const busy = (share: number): LoadFigures => ({ ...idle, load: share, cpu: share });

test("a load about the bound does not flap", () => {
  const watch = new StatusWatch(0.8, undefined);
  const statusAt = (share: number, atMs: number) => watch.look(busy(share), atMs).status;
  const seen = [0.79, 0.8, 0.75, 0.79, 0.71].map((share, n) => statusAt(share, n * 1000));
  const [up, degraded] = ["up", "degraded"] as const;
  assert.deepEqual(seen, [up, degraded, degraded, degraded, degraded]);
  assert.equal(statusAt(0.69, 14_000), up);
  assert.equal(statusAt(0.79, 14_001), up);
});

test("a load that swings about the bound is told once, until it was calm for a while", () => {
  const watch = new StatusWatch(0.8, undefined);
  let changes = 0;
  let before = "up";
  const look = (share: number, atMs: number): string => {
    const { status } = watch.look(busy(share), atMs);
    if (status !== before) changes += 1;
    before = status;
    return status;
  };
  for (let atMs = 0; atMs < 600_000; atMs += 1500) look(atMs % 9000 === 0 ? 0.9 : 0.1, atMs);
  assert.equal(changes, 1);
  // It was busy last at 594 000.
  assert.equal(look(0.1, 603_999), "degraded");
  assert.equal(look(0.1, 604_000), "up");
  assert.equal(look(0.1, 604_001), "up");
});

test("what is high is named, and the same for as long as it is", () => {
  const watch = new StatusWatch(0.8, undefined);
  const first = watch.look(busy(0.9), 0);
  assert.deepEqual(first.issues, ["its load is high: its process takes the cores that it may use"]);
  assert.deepEqual(watch.look(busy(0.99), 0), first);
});

test("the host's word counts beside the load: the worse of both, with all issues", () => {
  let said: HealthReport = { status: "up", issues: [] };
  const watch = new StatusWatch(0.8, () => said);
  assert.deepEqual(watch.look(idle, 0), { status: "up", issues: [] });
  said = { status: "degraded", issues: ["state:redis is away"] };
  assert.deepEqual(watch.look(idle, 0), said);
  assert.equal(watch.look(busy(1), 0).issues.length, 2);
  said = { status: "up", issues: ["an issue is no wellness"] };
  assert.equal(new StatusWatch(0.8, () => said).look(idle, 0).status, "degraded");
});

test("who cannot say how it is is degraded, and gives nothing away", () => {
  const watch = new StatusWatch(0.8, () => {
    throw new Error("password 1234");
  });
  const { status, issues } = watch.look(idle, 0);
  assert.equal(status, "degraded");
  assert.deepEqual(issues, ["its health could not be told"]);
});

test("what is told of issues is bounded", () => {
  const issues = Array.from({ length: 100 }, () => "x".repeat(1000));
  const told = new StatusWatch(0.8, () => ({ status: "degraded", issues })).look(idle, 0).issues;
  assert.deepEqual([told.length, told[0]?.length], [20, 200]);
});
