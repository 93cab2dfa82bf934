import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { editDistance, nearest } from "./nearest.ts";

test("a typo finds the word that was meant", () => {
  assert.equal(nearest("nme", ["name", "age"]), "name");
  assert.equal(nearest("anme", ["name", "age"]), "name");
  assert.equal(nearest("servcies", ["service", "services"]), "services");
  assert.equal(nearest("MINLENGTH", ["minLength", "maxLength"]), "minLength");
});

test("a word that is far from all is left alone", () => {
  assert.equal(nearest("colour", ["name", "age"]), undefined);
  assert.equal(nearest("x", ["y"]), undefined);
  assert.equal(nearest("", ["a"]), undefined);
  assert.equal(nearest("a".repeat(100), ["a".repeat(99)]), undefined);
});

test("swapping two neighbours is one edit", () => {
  assert.equal(editDistance("ab", "ba"), 1);
  assert.equal(editDistance("kitten", "sitting"), 3);
  assert.equal(editDistance("", "abc"), 3);
});

test("the distance is symmetric, zero only for equal words, and at most the longer word", () => {
  const word = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(word, word, (left, right) => {
      const distance = editDistance(left, right);
      assert.equal(distance, editDistance(right, left));
      assert.equal(distance === 0, left === right);
      assert.ok(distance <= Math.max(left.length, right.length));
    }),
  );
});
