import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { TaskGroup } from "./task-group.ts";

function openGroup(): { group: TaskGroup; failures: string[] } {
  const failures: string[] = [];
  const onFailure = (error: unknown, name: string): void => {
    failures.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
  };
  return { group: new TaskGroup({ onFailure }), failures };
}

test("close aborts every task, waits for all, and reports what failed otherwise", async () => {
  const { group, failures } = openGroup();
  const clock = new FakeClock();
  let tidied = false;
  group.add("polite", (signal) => clock.sleep(1e6, { signal }));
  group.add("slow", async (signal) => {
    await clock.sleep(1e6, { signal }).catch(() => undefined);
    await clock.sleep(10);
    tidied = true;
  });
  group.add("broken", () => Promise.reject(new Error("no")));
  group.add("throwing", () => {
    throw new Error("at once");
  });
  assert.equal(group.size, 4);
  const closed = group.close();
  assert.equal(group.signal.aborted, true);
  await clock.advance(10);
  await closed;
  await group.close();
  assert.equal(tidied, true);
  assert.equal(group.size, 0);
  assert.deepEqual(failures.sort(), ["broken: no", "throwing: at once"]);
});

test("idle waits for tasks that tasks start, and asks nobody to stop", async () => {
  const { group } = openGroup();
  const clock = new FakeClock();
  const steps: string[] = [];
  group.add("first", async () => {
    await clock.sleep(5);
    group.add("second", async (signal) => {
      await clock.sleep(5);
      steps.push(`second ${signal.aborted}`);
    });
    steps.push("first");
  });
  const idle = group.idle();
  await clock.advance(20);
  await idle;
  assert.deepEqual(steps, ["first", "second false"]);
});

test("a group may be disposed of by its scope", async () => {
  const { group } = openGroup();
  {
    await using owned = group;
    owned.add("waits", (signal) => new Promise((resolve) => (signal.onabort = () => resolve())));
  }
  assert.equal(group.size, 0);
});
