import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "@banyan/testbed";
import { isStorableText } from "./storable-text.ts";

const units = fc.constantFrom("a", "é", "\0", "\u{1F600}", "\uD800", "\uDC00", "\uFFFF");

test("short and long text are judged alike", () => {
  const texts = fc.array(units, { maxLength: 60 }).map((parts) => parts.join(""));
  const property = fc.property(texts, (text) => {
    const expected = Buffer.from(text).toString() === text && !text.includes("\0");
    assert.equal(isStorableText(text), expected);
    assert.equal(isStorableText(`${"x".repeat(60)}${text}`), expected);
  });
  fc.assert(property, { seed: seedOf(), numRuns: 2000 });
});
