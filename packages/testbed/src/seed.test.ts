import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSeed, seedOf } from "./seed.ts";

test("the seed of a process is one number", () => {
  assert.equal(seedOf(), seedOf());
  assert.ok(Number.isInteger(seedOf()));
});

test("a given seed is taken as it is, and a mistyped one is refused", () => {
  assert.equal(parseSeed("42"), 42);
  assert.equal(parseSeed("-7"), -7);
  assert.equal(parseSeed(undefined), undefined);
  assert.equal(parseSeed(""), undefined);
  for (const bad of ["4x", "1.5", "99999999999"]) assert.throws(() => parseSeed(bad), /32 bits/);
});
