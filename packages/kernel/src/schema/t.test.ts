// `t` builds what TypeBox builds: the same JSON, the same marks, the same static types.
import assert from "node:assert/strict";
import { test } from "node:test";
import Type, { type Static, type TSchema } from "typebox";
import { compileSchema } from "./compile.ts";
import { SchemaError } from "./schema-error.ts";
import { t } from "./t.ts";

const mine = t.Object(
  {
    id: t.String({ minLength: 1 }),
    note: t.Optional(t.String({ description: "free text" })),
    inner: t.Object({}, { additionalProperties: true }),
  },
  { description: "a thing", additionalProperties: false },
);
const theirs = Type.Object(
  {
    id: Type.String({ minLength: 1 }),
    note: Type.Optional(Type.String({ description: "free text" })),
    inner: Type.Object({}, { additionalProperties: true }),
  },
  { description: "a thing", additionalProperties: false },
);
const myOther = t.Object({ z: t.Null() });
const theirOther = Type.Object({ z: Type.Null() });

const pairs: readonly (readonly [string, () => TSchema, () => TSchema])[] = [
  ["String", () => t.String(), () => Type.String()],
  [
    "String with options",
    () => t.String({ format: "uuid" }),
    () => Type.String({ format: "uuid" }),
  ],
  ["Integer", () => t.Integer({ minimum: 1 }), () => Type.Integer({ minimum: 1 })],
  ["Number", () => t.Number({ default: 0.5 }), () => Type.Number({ default: 0.5 })],
  ["Boolean", () => t.Boolean(), () => Type.Boolean()],
  ["Null", () => t.Null({ title: "n" }), () => Type.Null({ title: "n" })],
  ["Unknown", () => t.Unknown(), () => Type.Unknown()],
  ["Literal text", () => t.Literal("a"), () => Type.Literal("a")],
  ["Literal number", () => t.Literal(1, { title: "n" }), () => Type.Literal(1, { title: "n" })],
  ["Literal boolean", () => t.Literal(true), () => Type.Literal(true)],
  ["Object", () => mine, () => theirs],
  ["Array", () => t.Array(mine, { maxItems: 3 }), () => Type.Array(theirs, { maxItems: 3 })],
  [
    "Tuple",
    () => t.Tuple([t.String(), t.Integer()]),
    () => Type.Tuple([Type.String(), Type.Integer()]),
  ],
  ["empty Tuple", () => t.Tuple([]), () => Type.Tuple([])],
  ["Enum", () => t.Enum(["a", "b"]), () => Type.Enum(["a", "b"])],
  [
    "Union",
    () => t.Union([t.Literal("a"), t.Null()], { description: "u" }),
    () => Type.Union([Type.Literal("a"), Type.Null()], { description: "u" }),
  ],
  ["Intersect", () => t.Intersect([mine, myOther]), () => Type.Intersect([theirs, theirOther])],
  ["Optional", () => t.Optional(t.String()), () => Type.Optional(Type.String())],
  ["Readonly", () => t.Readonly(t.String()), () => Type.Readonly(Type.String())],
  ["Unsafe", () => t.Unsafe({ type: "string" }), () => Type.Unsafe({ type: "string" })],
  [
    "Record of strings",
    () => t.Record(t.String(), t.Integer(), { maxProperties: 3 }),
    () => Type.Record(Type.String(), Type.Integer(), { maxProperties: 3 }),
  ],
  [
    "Record by pattern",
    () => t.Record(t.String({ pattern: "^a" }), t.Integer()),
    () => Type.Record(Type.String({ pattern: "^a" }), Type.Integer()),
  ],
  [
    "Record of integers",
    () => t.Record(t.Integer(), t.Null()),
    () => Type.Record(Type.Integer(), Type.Null()),
  ],
  [
    "Record of numbers",
    () => t.Record(t.Number(), t.Null()),
    () => Type.Record(Type.Number(), Type.Null()),
  ],
  [
    "Record of an enum",
    () => t.Record(t.Enum(["a", "b"]), t.Integer()),
    () => Type.Record(Type.Enum(["a", "b"]), Type.Integer()),
  ],
  [
    "Record of literals",
    () => t.Record(t.Union([t.Literal("a"), t.Literal("b")]), t.Integer()),
    () => Type.Record(Type.Union([Type.Literal("a"), Type.Literal("b")]), Type.Integer()),
  ],
  ["Partial", () => t.Partial(mine, { title: "p" }), () => Type.Partial(theirs, { title: "p" })],
  [
    "Partial of an intersection",
    () => t.Partial(t.Intersect([mine, myOther])),
    () => Type.Partial(Type.Intersect([theirs, theirOther])),
  ],
  [
    "Partial of a union",
    () => t.Partial(t.Union([mine, myOther])),
    () => Type.Partial(Type.Union([theirs, theirOther])),
  ],
  ["Pick", () => t.Pick(mine, ["id", "note"]), () => Type.Pick(theirs, ["id", "note"])],
  [
    "Pick by literal",
    () => t.Pick(mine, t.Literal("id")),
    () => Type.Pick(theirs, Type.Literal("id")),
  ],
  [
    "Omit",
    () => t.Omit(mine, ["id"], { title: "o" }),
    () => Type.Omit(theirs, ["id"], { title: "o" }),
  ],
  [
    "Omit of an intersection",
    () => t.Omit(t.Intersect([mine, myOther]), ["id"]),
    () => Type.Omit(Type.Intersect([theirs, theirOther]), ["id"]),
  ],
  [
    "Cyclic",
    () => t.Cyclic({ Node: t.Object({ next: t.Optional(t.Ref("Node")) }) }, "Node"),
    () => Type.Cyclic({ Node: Type.Object({ next: Type.Optional(Type.Ref("Node")) }) }, "Node"),
  ],
];

function marks(schema: TSchema): unknown {
  const own = Object.getOwnPropertyDescriptors(schema);
  return Object.entries(own)
    .filter(([key]) => key.startsWith("~"))
    .map(([key, { value, enumerable }]) => ({ key, value: value as unknown, enumerable }))
    .toSorted((left, right) => left.key.localeCompare(right.key));
}

for (const [name, ours, original] of pairs) {
  test(`t builds the same ${name} as TypeBox, marks included`, () => {
    assert.equal(JSON.stringify(ours()), JSON.stringify(original()));
    assert.deepEqual(marks(ours()), marks(original()));
  });
}

test("schemas of t and of TypeBox mix: each sees the other's optional properties", () => {
  const inTypeBox = Type.Object({ a: t.Optional(t.String()), b: t.String() });
  const inOurs = t.Object({ a: Type.Optional(Type.String()), b: Type.String() });
  assert.deepEqual(inTypeBox.required, ["b"]);
  assert.equal(JSON.stringify(inOurs), JSON.stringify(inTypeBox));
  assert.equal(JSON.stringify(Type.Partial(inOurs)), JSON.stringify(t.Partial(inTypeBox)));
});

test("a secret is a string with a mark of its own", () => {
  assert.deepEqual(JSON.parse(JSON.stringify(t.Secret({ minLength: 8 }))), {
    type: "string",
    minLength: 8,
    "x-secret": true,
  });
});

test("what t cannot do at run time is refused with what it takes instead", () => {
  const twice = t.Intersect([t.Object({ a: t.String() }), t.Object({ a: t.String() })]);
  assert.throws(() => t.Pick(twice, ["a"]), /cannot join the property "a"/u);
  assert.throws(() => t.Partial(t.String()), /takes an object or an intersection/u);
  assert.throws(() => t.Record(t.Boolean(), t.String()), SchemaError);
  assert.throws(() => t.Omit(mine, t.String()), /takes an array of property names/u);
});

/** True only for exactly equal types. */
type Same<A, B> =
  (<X>() => X extends A ? 1 : 2) extends <X>() => X extends B ? 1 : 2 ? true : false;

function typesAreEqual<_Proof extends true>(): void {
  // The compiler is the one who checks.
}

test("static types are inferred as TypeBox infers them", () => {
  const schema = t.Object({
    name: t.String(),
    kind: t.Enum(["a", "b"]),
    tags: t.Optional(t.Array(t.Union([t.Literal("x"), t.Integer()]))),
    pair: t.Tuple([t.String(), t.Null()]),
    map: t.Record(t.String(), t.Boolean()),
    any: t.Unknown(),
    token: t.Secret(),
    date: t.Unsafe<`${number}-${number}`>({ type: "string" }),
    fixed: t.Readonly(t.Number()),
  });
  type Value = Static<typeof schema>;
  typesAreEqual<Same<Value["kind"], "a" | "b">>();
  typesAreEqual<Same<Value["tags"], ("x" | number)[] | undefined>>();
  typesAreEqual<Same<Value["pair"], [string, null]>>();
  typesAreEqual<Same<Value["map"], Record<string, boolean>>>();
  typesAreEqual<Same<Value["any"], unknown>>();
  typesAreEqual<Same<Value["token"], string>>();
  typesAreEqual<Same<Value["date"], `${number}-${number}`>>();
  const parsed = compileSchema(schema).parse({}, "strict", []);
  typesAreEqual<Same<typeof parsed, Value | undefined>>();
  assert.equal(parsed, undefined);
});
