import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { findCallSite } from "./call-site.ts";

/** Stands for the platform's frames between a service and the capture. */
function passThrough<R>(depth: number, run: () => R): R {
  return depth === 0 ? run() : passThrough(depth - 1, run);
}

test("the place is the line of the code that asked, as it stands in its file", () => {
  const site = findCallSite();
  assert.equal(site?.file, import.meta.filename);
  const line = readFileSync(import.meta.filename, "utf8").split("\n")[(site?.line ?? 0) - 1];
  assert.match(line ?? "", /const site = findCallSite\(\);/);
});

test("an async function that goes on after a wait is found as well, by its name", async () => {
  async function afterAWait() {
    await Promise.resolve();
    return findCallSite();
  }
  const site = await afterAWait();
  assert.equal(site?.file, import.meta.filename);
  assert.equal(site.function, "afterAWait");
});

test("the limit of stacks is as before, whoever looked", () => {
  const limit = Error.stackTraceLimit;
  assert.notEqual(
    passThrough(2, () => findCallSite()),
    undefined,
  );
  assert.equal(Error.stackTraceLimit, limit);
});

test("frames of the platform's folder are passed over, also installed ones", () => {
  const folder = new URL(".", import.meta.url).href.replace(/telemetry\/src\/$/, "");
  // Tests of the platform are a service's code to it; everything else below the folder is not.
  assert.equal(findCallSite(folder)?.file, import.meta.filename);
});

test("a program's own way of preparing stacks is left as it was", () => {
  const own = (): string => "mine";
  Error.prepareStackTrace = own;
  try {
    assert.equal(findCallSite()?.file, import.meta.filename);
    assert.equal(Error.prepareStackTrace, own);
  } finally {
    Reflect.deleteProperty(Error, "prepareStackTrace");
  }
  findCallSite();
  assert.equal(Object.hasOwn(Error, "prepareStackTrace"), false);
});
