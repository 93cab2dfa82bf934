import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isBanyanError } from "@banyan/kernel";
import { seedOf } from "@banyan/testbed";
import { assertKey, assertStoreName, compareKeys, prefixEnd, showKey } from "./keys.ts";

const units = fc.constantFrom(
  "a",
  "b",
  "\u0001",
  "é",
  "\uD7FF",
  "\uE000",
  "\uFFFF",
  "\u{10000}",
  "\u{10FFFF}",
);
const texts = fc.array(units, { maxLength: 5 }).map((parts) => parts.join(""));
const byBytes = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

test("keys compare as their UTF-8 bytes do", () => {
  const property = fc.property(texts, texts, (a, b) => {
    assert.equal(Math.sign(compareKeys(a, b)), byBytes(a, b));
  });
  fc.assert(property, { seed: seedOf(), numRuns: 2000 });
});

test("a prefix's end is above all that begin with it and above nothing else", () => {
  const property = fc.property(texts, texts, (prefix, text) => {
    const end = prefixEnd(prefix);
    const isBelowEnd = end === undefined || byBytes(text, end) < 0;
    assert.equal(byBytes(text, prefix) >= 0 && isBelowEnd, text.startsWith(prefix));
  });
  fc.assert(property, { seed: seedOf(), numRuns: 5000 });
  assert.equal(prefixEnd(""), undefined);
  assert.equal(prefixEnd("\u{10FFFF}\u{10FFFF}"), undefined);
  assert.equal(prefixEnd("a\u{10FFFF}"), "b");
  assert.equal(prefixEnd("\uD7FF"), "\uE000");
});

test("a refused key is shown shortened and escaped, with its store", () => {
  assert.throws(
    () => assertKey(`\0${"x".repeat(200)}`, "greeter.visits"),
    (error) =>
      isBanyanError(error, "STATE_KEY_INVALID") &&
      error.message.includes("greeter.visits") &&
      error.message.includes("\\u0000") &&
      error.message.length < 300,
  );
  assert.equal(showKey("a\nb"), '"a\\nb"');
});

test("what is no text is refused as a key, whatever the types say", () => {
  // As a caller without types would.
  const untyped: (key: unknown, store: string) => void = assertKey as never;
  for (const key of [undefined, null, 7, {}]) {
    assert.throws(
      () => untyped(key, "a.b"),
      (error) => isBanyanError(error, "STATE_KEY_INVALID"),
    );
  }
});

test("scope and name have 1 to 128 bytes", () => {
  assertStoreName("scope", "x".repeat(128));
  for (const text of ["", "x".repeat(129), "é".repeat(65), "a\0"]) {
    assert.throws(
      () => assertStoreName("name", text),
      (error) => isBanyanError(error, "STATE_STORE_INVALID"),
    );
  }
});
