import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { encodePointer, getAtPointer, parsePointer } from "./pointer.ts";

test("the examples of RFC 6901 resolve", () => {
  const document = { foo: ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "m~n": 8, " ": 7 };
  assert.equal(getAtPointer(document, ""), document);
  assert.equal(getAtPointer(document, "/foo/0"), "bar");
  assert.equal(getAtPointer(document, "/"), 0);
  assert.equal(getAtPointer(document, "/a~1b"), 1);
  assert.equal(getAtPointer(document, "/c%d"), 2);
  assert.equal(getAtPointer(document, "/m~0n"), 8);
  assert.equal(getAtPointer(document, "/ "), 7);
});

test("any path survives encoding and parsing", () => {
  fc.assert(
    fc.property(fc.array(fc.string()), (path) => {
      assert.deepEqual(parsePointer(encodePointer(path)), path);
    }),
  );
});

test("a text that is no pointer has no path and no value", () => {
  for (const text of ["foo", "/~", "/~2", "#/foo"]) {
    assert.equal(parsePointer(text), undefined);
    assert.equal(getAtPointer({ foo: 1 }, text), undefined);
  }
});

test("a pointer never reads what an object inherits", () => {
  assert.equal(getAtPointer({}, "/constructor"), undefined);
  assert.equal(getAtPointer({}, "/__proto__/toString"), undefined);
  assert.equal(getAtPointer([1], "/length"), undefined);
  assert.equal(getAtPointer([1], "/00"), undefined);
});
