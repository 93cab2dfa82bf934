// What people see: messages, copies, defaults, refusals. Random schemas are in schema-law.test.ts.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import Type from "typebox";
import { compileSchema } from "./compile.ts";
import { DEPTH_MAX, type Issue, ISSUES_MAX } from "./issue.ts";
import { SchemaErrorCode } from "./schema-error.ts";
import { t } from "./t.ts";

function issuesOf(schema: object, value: unknown, mode: "strict" | "tolerant" = "strict"): Issue[] {
  const issues: Issue[] = [];
  const parsed = compileSchema(schema, { engine: "generate" }).parse(value, mode, issues);
  const again: Issue[] = [];
  compileSchema(schema, { engine: "interpret" }).parse(value, mode, again);
  assert.deepEqual(again, issues);
  assert.equal(parsed === undefined, issues.length > 0);
  return issues;
}

function messageOf(schema: object, value: unknown): string | undefined {
  return issuesOf(schema, value)[0]?.message;
}

const greet = t.Object({ name: t.String({ minLength: 1, maxLength: 64 }) });
const union = t.Union([
  t.Object({ kind: t.Literal("circle"), radius: t.Number({ exclusiveMinimum: 0 }) }),
  t.Object({ kind: t.Literal("square"), side: t.Number() }),
]);

const golden: readonly (readonly [object, unknown, string])[] = [
  [greet, { name: "" }, "/name must be a string of 1 to 64 characters, not an empty string"],
  [greet, { name: 7 }, "/name must be a string of 1 to 64 characters, not 7"],
  [greet, {}, "/name is required: a string of 1 to 64 characters"],
  [greet, [], "the value must be an object, not an empty array"],
  [greet, undefined, "the value must be an object, not nothing"],
  [greet, { name: "x", nme: 1 }, '/nme is not a known property; did you mean "name"?'],
  [greet, { name: "x", "a/b": 1 }, "/a~1b is not a known property"],
  [
    greet,
    { name: "x".repeat(65) },
    "/name must be a string of 1 to 64 characters, not a string of 65 characters",
  ],
  [t.Integer({ minimum: 1, maximum: 9 }), 10, "the value must be an integer from 1 to 9, not 10"],
  [t.Integer(), 1.5, "the value must be an integer, not 1.5"],
  [t.Number(), Number.NaN, "the value must be a number, not NaN"],
  [t.Number({ multipleOf: 0.1 }), 0.35, "the value must be a number in steps of 0.1, not 0.35"],
  [t.String({ format: "uuid" }), "x", 'the value must be a UUID, not "x"'],
  [t.String({ pattern: "^a" }), "b", 'the value must be a string matching ^a, not "b"'],
  [t.Enum(["a", "b"]), "c", 'the value must be one of "a", "b", not "c"'],
  [t.Literal(1), 2, "the value must be 1, not 2"],
  [t.Union([t.Literal("a"), t.Null()]), 1, 'the value must be "a" or null, not 1'],
  [t.Union([greet, t.Null()]), { name: 1 }, "/name must be a string of 1 to 64 characters, not 1"],
  [union, { kind: "circle", radius: 0 }, "/radius must be a number greater than 0, not 0"],
  [union, { kind: "cube" }, '/kind must be one of "circle", "square", not "cube"'],
  [union, {}, '/kind must be one of "circle", "square", not nothing'],
  [
    t.Array(t.Null(), { maxItems: 1 }),
    [null, null],
    "the value must be an array of at most 1 item, not an array of 2 items",
  ],
  [t.Array(t.Integer()), [1, "2"], '/1 must be an integer, not "2"'],
  [
    t.Array(t.Integer(), { uniqueItems: true }),
    [1, 1],
    "the value must be an array without duplicates, not an array of 2 items",
  ],
  [
    t.Object({}, { minProperties: 2, additionalProperties: true }),
    {},
    "the value must be an object with at least 2 properties, not an object",
  ],
  [t.Unknown(), new Date(0), "the value must be a JSON value, not a Date"],
  [t.Unknown(), { a: [() => 1] }, "/a/0 must be a JSON value, not a function"],
  [{ not: { type: "string" } }, "a", 'the value must be anything but a string, not "a"'],
  [
    { oneOf: [{ type: "number" }, { type: "integer" }] },
    1,
    "the value must be valid for exactly one of 2 schemas (it is for 2), not 1",
  ],
  [{ dependentRequired: { a: ["b"] } }, { a: 1 }, "/b is required: a JSON value"],
];

for (const [schema, value, message] of golden) {
  test(`the message reads: ${message}`, () => assert.equal(messageOf(schema, value), message));
}

test("an issue says where, what was expected and what was there", () => {
  assert.deepEqual(issuesOf(greet, { nme: "x" }), [
    {
      pointer: "/name",
      keyword: "required",
      expected: "a string of 1 to 64 characters",
      actual: "nothing",
      message: "/name is required: a string of 1 to 64 characters",
    },
    {
      pointer: "/nme",
      keyword: "additionalProperties",
      expected: "one of the properties name",
      actual: 'the property "nme"',
      suggestion: "name",
      message: '/nme is not a known property; did you mean "name"?',
    },
  ]);
});

test("a secret is never shown, whichever schema complains about it", () => {
  const schema = {
    allOf: [
      { type: "object", properties: { pin: { type: "string", "x-secret": true } } },
      { properties: { pin: { minLength: 8 } } },
    ],
  };
  const [issue] = issuesOf(schema, { pin: "1234" });
  assert.equal(issue?.actual, "a hidden value");
  assert.ok(!JSON.stringify(issue).includes("1234"));
  const nested = t.Object({ keys: t.Array(t.String({ maxLength: 2 }), { writeOnly: true }) });
  assert.ok(!JSON.stringify(issuesOf(nested, { keys: ["abcd"] })).includes("abcd"));
});

test("no more than twenty issues are collected", () => {
  const value = Array.from({ length: 1000 }, () => "x");
  assert.equal(issuesOf(t.Array(t.Integer()), value).length, ISSUES_MAX);
  const others = Object.fromEntries(value.map((_, index) => [`p${index}`, 1]));
  assert.equal(issuesOf(t.Object({}), others).length, ISSUES_MAX);
});

test("tolerant mode drops what strict mode refuses, at every depth", () => {
  const schema = compileSchema(t.Object({ a: t.Object({ b: t.Integer() }) }));
  const value = { a: { b: 1, c: 2 }, d: 3 };
  assert.deepEqual(schema.parse(value, "tolerant", []), { a: { b: 1 } });
  assert.equal(schema.parse(value, "strict", []), undefined);
  assert.deepEqual(schema.copy(value), { a: { b: 1 } });
});

test("a schema that says additionalProperties keeps or refuses them in both modes", () => {
  const open = compileSchema(t.Object({}, { additionalProperties: t.Integer() }));
  const closed = compileSchema(t.Object({}, { additionalProperties: false }));
  for (const mode of ["strict", "tolerant"] as const) {
    assert.deepEqual(open.parse({ a: 1 }, mode, []), { a: 1 });
    assert.equal(closed.parse({ a: 1 }, mode, []), undefined);
  }
});

test("in an intersection a property is known when any part names it", () => {
  const schema = compileSchema(t.Intersect([greet, t.Object({ age: t.Integer() })]));
  assert.deepEqual(schema.parse({ name: "Ada", age: 1 }, "strict", []), { name: "Ada", age: 1 });
  assert.equal(schema.parse({ name: "Ada", age: 1, more: 1 }, "strict", []), undefined);
});

test("every branch of a union that matches says what is known", () => {
  const schema = compileSchema(
    t.Union([t.Object({ a: t.Integer() }), t.Object({ a: t.Integer(), b: t.Integer() })]),
  );
  assert.deepEqual(schema.parse({ a: 1, b: 2 }, "strict", []), { a: 1, b: 2 });
  assert.deepEqual(schema.parse({ a: 1, b: "x" }, "tolerant", []), { a: 1 });
});

test("only the branch of a condition that applies says what is known", () => {
  const schema = compileSchema({
    properties: { kind: {} },
    if: { properties: { kind: { const: "a" }, seen: {} }, required: ["kind"] },
    then: { properties: { a: {} } },
    else: { properties: { b: {} } },
  });
  assert.deepEqual(schema.parse({ kind: "a", a: 1, seen: 1 }, "strict", []), {
    kind: "a",
    a: 1,
    seen: 1,
  });
  assert.deepEqual(schema.parse({ kind: "b", b: 1 }, "strict", []), { kind: "b", b: 1 });
  for (const value of [
    { kind: "a", b: 1 },
    { b: 1, a: 1 },
    { kind: "b", seen: 1 },
  ]) {
    assert.equal(schema.parse(value, "strict", []), undefined);
  }
});

test("defaults are filled in, completed by their own schema, and fresh for every value", () => {
  const schema = compileSchema(
    t.Object({
      word: t.String({ default: "Hello" }),
      inner: t.Object({ list: t.Array(t.Integer(), { default: [1] }) }, { default: {} }),
    }),
  );
  const first = schema.parse({}, "strict", []);
  const second = schema.parse({ word: undefined }, "strict", []);
  assert.deepEqual(first, { word: "Hello", inner: { list: [1] } });
  assert.deepEqual(second, first);
  assert.notEqual(first?.inner.list, second?.inner.list);
});

test("a property that is undefined counts as absent", () => {
  const schema = compileSchema(t.Object({ a: t.Optional(t.Integer()) }));
  assert.deepEqual(schema.parse({ a: undefined, b: undefined }, "strict", []), {});
});

test("recursive schemas work, as written by t, by TypeBox and by hand", () => {
  const node = { type: "object", properties: { next: { $ref: "#" } } };
  const mine = t.Cyclic({ Node: t.Object({ next: t.Optional(t.Ref("Node")) }) }, "Node");
  const theirs = Type.Cyclic({ N: Type.Object({ next: Type.Optional(Type.Ref("N")) }) }, "N");
  const value = { next: { next: {} } };
  for (const schema of [node, mine, theirs]) {
    assert.deepEqual(compileSchema(schema).parse(value, "strict", []), value);
    assert.equal(issuesOf(schema, { next: { next: 1 } })[0]?.pointer, "/next/next");
  }
  const nested = t.Object({ one: mine, two: mine });
  assert.equal(issuesOf(nested, { one: {}, two: { next: 1 } })[0]?.pointer, "/two/next");
});

test("a document inside another keeps its references when it has an id", () => {
  const node = { type: "object", properties: { next: { $ref: "#/$defs/node" } } };
  const inner = { $id: "urn:list", $ref: "#/$defs/node", $defs: { node } };
  const schema = { allOf: [inner, { type: "object", properties: { id: { type: "string" } } }] };
  const value = { id: "a", next: { next: {} } };
  assert.deepEqual(compileSchema(schema).parse(value, "strict", []), value);
  assert.equal(issuesOf(schema, { next: { id: "a" } })[0]?.pointer, "/next/id");
});

test("a value that contains itself or is too deep is refused by name", () => {
  const loop: Record<string, unknown> = {};
  loop["next"] = loop;
  for (const schema of [t.Unknown(), { type: "object", properties: { next: { $ref: "#" } } }]) {
    const [issue] = issuesOf(schema, loop);
    assert.equal(issue?.keyword, "depth");
    assert.equal(issue.pointer.split("/").length - 1, DEPTH_MAX + 1);
  }
});

test("TypeBox's tuples are read as prefixItems", () => {
  const schema = compileSchema(Type.Tuple([Type.String(), Type.Integer()]));
  assert.deepEqual(schema.jsonSchema, {
    type: "array",
    prefixItems: [{ type: "string" }, { type: "integer" }],
    items: false,
    minItems: 2,
  });
  assert.deepEqual(schema.parse(["a", 1], "strict", []), ["a", 1]);
  assert.equal(schema.parse(["a", 1, 2], "tolerant", []), undefined);
  assert.equal(schema.parse(["a"], "tolerant", []), undefined);
});

test("the first uses are interpreted, the later ones generated, and nobody can tell", () => {
  const schema = compileSchema(t.Object({ a: t.Integer() }));
  for (let use = 0; use < 30; use++) {
    assert.deepEqual(schema.parse({ a: use, b: 1 }, "tolerant", []), { a: use });
    assert.deepEqual(schema.parse({ a: use }, "strict", []), { a: use });
    assert.deepEqual(schema.copy({ a: use }), { a: use });
    const issues: Issue[] = [];
    assert.equal(schema.parse({ a: "x" }, "strict", issues), undefined);
    assert.equal(issues.length, 1);
  }
});

test("a trusted copy does not check constraints, whichever engine makes it", () => {
  const schema = t.Object({
    name: t.String({ minLength: 3 }),
    list: t.Array(t.Integer({ minimum: 1 }), { minItems: 2 }),
    kind: t.Enum(["a"]),
  });
  for (const engine of ["adaptive", "generate", "interpret"] as const) {
    const value = { name: "", list: [0], kind: "a" as const };
    assert.deepEqual(compileSchema(schema, { engine }).copy({ ...value }), value);
    const narrow = compileSchema({ minLength: 3 }, { engine });
    assert.equal(narrow.copy("a"), "a");
  }
});

test("a trusted copy of a value with the wrong shape throws instead of sharing", () => {
  const schema = compileSchema(t.Object({ inner: t.Object({}) }));
  // @ts-expect-error the wrong shape, on purpose
  assert.throws(() => schema.copy({ inner: 1 }), { code: SchemaErrorCode.copyInvalid });
});

const refusals: readonly (readonly [object, string, RegExp])[] = [
  [{ minLenght: 1 }, SchemaErrorCode.keywordUnknown, /"minLenght".*did you mean "minLength"/u],
  [
    { properties: { a: { unevaluatedProperties: false } } },
    SchemaErrorCode.keywordUnknown,
    /at \/properties\/a/u,
  ],
  [{ type: "strnig" }, SchemaErrorCode.keywordInvalid, /"string"\?/u],
  [{ format: "datetime" }, SchemaErrorCode.formatUnknown, /did you mean "date-time"/u],
  [{ pattern: "(" }, SchemaErrorCode.keywordInvalid, /no regular expression/u],
  [{ minLength: -1 }, SchemaErrorCode.keywordInvalid, /whole number/u],
  [{ multipleOf: 0 }, SchemaErrorCode.keywordInvalid, /greater than 0/u],
  [{ required: "a" }, SchemaErrorCode.keywordInvalid, /array of property names/u],
  [{ anyOf: [] }, SchemaErrorCode.keywordInvalid, /at least one/u],
  [{ properties: { a: 1 } }, SchemaErrorCode.notASchema, /\/properties\/a is neither/u],
  [{ $ref: "#/$defs/Nod", $defs: { Node: {} } }, SchemaErrorCode.refUnresolved, /#\/\$defs\/Node/u],
  [{ $ref: "https://example.org/s" }, SchemaErrorCode.refUnresolved, /no reference into/u],
  [{ $ref: "#" }, SchemaErrorCode.refUnresolved, /refers back to itself/u],
  [{ anyOf: [{ $ref: "#" }] }, SchemaErrorCode.refUnresolved, /refers back to itself/u],
  [
    t.Object({ a: t.Integer({ default: "x" }) }),
    SchemaErrorCode.defaultInvalid,
    /\/properties\/a/u,
  ],
];

for (const [schema, code, message] of refusals) {
  test(`the schema ${JSON.stringify(schema)} is refused with its place and the fix`, () => {
    assert.throws(() => compileSchema(schema), { name: "SchemaError", code, message });
  });
}

test("a schema object that contains itself is refused", () => {
  const loop: Record<string, unknown> = { type: "object" };
  loop["properties"] = { loop };
  assert.throws(() => compileSchema(loop), { message: /contains itself/u });
});

test("where Node forbids generated code the interpreter does the work", () => {
  const url = new URL("./compile.ts", import.meta.url).href;
  const program = `
    const { compileSchema } = await import(${JSON.stringify(url)});
    const plain = { type: "object", properties: { a: { type: "integer" } } };
    const schema = compileSchema(plain, { engine: "generate" });
    const issues = [];
    schema.parse({ a: "x" }, "strict", issues);
    console.log(JSON.stringify([schema.parse({ a: 1 }, "strict", []), issues[0].pointer]));
    console.log(JSON.stringify(schema.copy({ a: 2, b: 3 })));`;
  const flags = ["--disallow-code-generation-from-strings", "--input-type=module", "--eval"];
  const output = execFileSync(process.execPath, [...flags, program], { encoding: "utf8" });
  assert.equal(output, '[{"a":1},"/a"]\n{"a":2}\n');
});
