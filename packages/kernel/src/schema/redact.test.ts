import assert from "node:assert/strict";
import { test } from "node:test";
import { redact } from "./redact.ts";
import { t } from "./t.ts";

test("secrets are replaced at any depth, in lists and maps", () => {
  const schema = t.Object({
    user: t.String(),
    password: t.Secret(),
    keys: t.Array(t.Object({ id: t.Integer(), key: t.Secret() })),
    tokens: t.Record(t.String(), t.Secret()),
  });
  const value = {
    user: "ada",
    password: "s3cret",
    keys: [{ id: 1, key: "k" }],
    tokens: { a: "b" },
  };
  assert.deepEqual(redact(schema, value), {
    user: "ada",
    password: "[secret]",
    keys: [{ id: 1, key: "[secret]" }],
    tokens: { a: "[secret]" },
  });
  assert.equal(value.password, "s3cret", "the value itself is untouched");
});

test("a property is hidden when any branch hides it, and when it is write-only", () => {
  const schema = {
    anyOf: [
      { properties: { a: { type: "string" } } },
      { properties: { a: { "x-secret": true }, b: { writeOnly: true } } },
    ],
  };
  assert.deepEqual(redact(schema, { a: 1, b: { c: 2 }, d: 3 }), {
    a: "[secret]",
    b: "[secret]",
    d: 3,
  });
});

test("secrets of a recursive schema are found at every level", () => {
  const schema = t.Cyclic(
    { Node: t.Object({ key: t.Secret(), next: t.Optional(t.Ref("Node")) }) },
    "Node",
  );
  assert.deepEqual(redact(schema, { key: "a", next: { key: "b" } }), {
    key: "[secret]",
    next: { key: "[secret]" },
  });
});

test("a value that contains itself ends, and what is no data becomes null", () => {
  const loop: Record<string, unknown> = { now: () => 1 };
  loop["self"] = loop;
  const copy = redact({}, loop);
  assert.ok(JSON.stringify(copy).startsWith('{"now":null,"self":{"now":null'));
});
