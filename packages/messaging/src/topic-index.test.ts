import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { matchesTopic } from "./topic-index.ts";

describe("a pattern", () => {
  test("without wildcards stands for itself", () => {
    assert.equal(matchesTopic("a.b", "a.b"), true);
    assert.equal(matchesTopic("a.b", "a.b.c"), false);
    assert.equal(matchesTopic("a.b", "a"), false);
  });

  test("stands for the topics that a regular expression of it stands for", () => {
    const word = fc.constantFrom("a", "b", "c");
    const pattern = fc.array(fc.oneof(word, fc.constantFrom("*", "#")), {
      minLength: 1,
      maxLength: 7,
    });
    const topic = fc.array(word, { minLength: 1, maxLength: 8 });
    const property = fc.property(pattern, topic, (wanted, words) => {
      // Each word with a dot before it, so that a hash can stand for none.
      const parts = wanted.map((each) =>
        each === "#" ? "(?:\\.[a-z]+)*" : each === "*" ? "\\.[a-z]+" : `\\.${each}`,
      );
      const expected = new RegExp(`^${parts.join("")}$`).test(`.${words.join(".")}`);
      assert.equal(matchesTopic(wanted.join("."), words.join(".")), expected);
    });
    fc.assert(property, { seed: seedOf(), numRuns: 2000 });
  });

  test("of many hashes takes no exponential time", () => {
    const pattern = `${"#.a.".repeat(40)}b`;
    const topic = Array.from({ length: 100 }, () => "a").join(".");
    const startedMs = performance.now();
    assert.equal(matchesTopic(pattern, topic), false);
    assert(performance.now() - startedMs < 1000);
  });
});
