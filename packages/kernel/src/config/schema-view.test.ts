import assert from "node:assert/strict";
import { test } from "node:test";
import { closeSchema, declaredProperties, followRef, holdsSecret } from "./schema-view.ts";
import { rebaseRefs } from "./schema-view.ts";

const root = {
  $defs: {
    key: { type: "string", "x-secret": true },
    loop: { $ref: "#/$defs/loop" },
    tree: { type: "object", properties: { next: { $ref: "#/$defs/tree" } } },
  },
  type: "object",
  properties: { key: { $ref: "#/$defs/key" }, self: { $ref: "#" } },
};

test("a reference is followed, and what stands beside it wins", () => {
  const schema = { $ref: "#/$defs/key", description: "mine" };
  assert.deepEqual(followRef(schema, root), {
    type: "string",
    "x-secret": true,
    description: "mine",
  });
});

test("references that go in circles come to an end", () => {
  assert.equal(typeof followRef({ $ref: "#/$defs/loop" }, root), "object");
  assert.equal(holdsSecret({ $ref: "#/$defs/tree" }, root), false);
});

test("only objects whose keys are all declared are taken apart", () => {
  const keys = (schema: object): string[] | undefined => {
    const found = declaredProperties({ ...schema }, root);
    return found === undefined ? undefined : [...found.keys()];
  };
  const a = { a: {} };
  assert.deepEqual(keys({ type: "object", properties: a }), ["a"]);
  assert.deepEqual(keys({ properties: a, additionalProperties: false }), ["a"]);
  assert.deepEqual(keys({ allOf: [{ properties: a }, { properties: { b: {} } }] }), ["a", "b"]);
  assert.equal(keys({ type: "object" }), undefined);
  assert.equal(keys({ type: "object", properties: a, additionalProperties: true }), undefined);
  assert.equal(keys({ type: "object", properties: a, patternProperties: {} }), undefined);
  assert.equal(keys({ properties: a, anyOf: [{}] }), undefined);
  assert.equal(keys({ type: ["object", "null"], properties: a }), undefined);
});

test("a key declared twice must satisfy both, and is required when either says so", () => {
  const schema = {
    allOf: [
      { properties: { a: { type: "integer" } } },
      { properties: { a: { minimum: 1 } }, required: ["a"] },
    ],
  };
  assert.deepEqual(declaredProperties(schema, schema)?.get("a"), {
    schema: { allOf: [{ type: "integer" }, { minimum: 1 }] },
    required: true,
  });
});

test("a secret is found behind references, in lists and in branches", () => {
  assert.equal(holdsSecret(root.properties.key, root), true);
  assert.equal(holdsSecret({ anyOf: [{ items: { writeOnly: true } }] }, root), true);
  assert.equal(holdsSecret({ type: "string" }, root), false);
});

test("a part taken out of a schema brings along what it refers to, the root included", () => {
  assert.deepEqual(closeSchema({ type: "string" }, root), { type: "string" });
  const closed = closeSchema(root.properties.self, root);
  assert.equal(closed["$ref"], "#/$defs/section");
  assert.deepEqual(followRef(closed, closed)["type"], "object");
});

test("data and names that look like references stay as they are", () => {
  const schema = {
    default: { $ref: "#" },
    properties: { $ref: { type: "string" }, default: { $ref: "#" } },
  };
  assert.deepEqual(
    rebaseRefs(schema, () => "#/moved"),
    {
      default: { $ref: "#" },
      properties: { $ref: { type: "string" }, default: { $ref: "#/moved" } },
    },
  );
});
