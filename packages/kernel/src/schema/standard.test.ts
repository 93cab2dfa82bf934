// Schemas of another library, by the example of zod 4.
import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { compileSchema } from "./compile.ts";
import type { Issue } from "./issue.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import {
  type InferInput,
  type InferOutput,
  isStandardSchema,
  type StandardSchema,
  toJsonSchema,
} from "./standard.ts";
import { t } from "./t.ts";

const person = z.object({
  name: z.string().min(1).max(64),
  nick: z.string().optional(),
  role: z.enum(["admin", "guest"]).default("guest"),
  even: z.int().refine((value) => value % 2 === 0, "must be even"),
});

function parse(schema: StandardSchema, value: unknown, mode: "strict" | "tolerant" = "strict") {
  const issues: Issue[] = [];
  return { value: compileSchema(schema).parse(value, mode, issues), issues };
}

test("a zod schema says its input and its output as plain JSON Schema", () => {
  const input = toJsonSchema(person, "input");
  assert.ok(typeof input === "object");
  assert.deepEqual(input["required"], ["name", "even"]);
  assert.equal(input["$schema"], undefined);
  const output = toJsonSchema(person, "output");
  assert.ok(typeof output === "object");
  assert.deepEqual(output["required"], ["name", "role", "even"]);
  assert.equal(output["additionalProperties"], undefined, "what is answered may gain fields");
});

test("a zod schema fills defaults and accepts what it accepts itself", () => {
  assert.deepEqual(parse(person, { name: "Ada", even: 2 }), {
    value: { name: "Ada", role: "guest", even: 2 },
    issues: [],
  });
});

test("strict mode refuses what a zod schema does not name, with the nearest name", () => {
  const { value, issues } = parse(person, { name: "Ada", even: 2, nik: "a" });
  assert.equal(value, undefined);
  assert.equal(issues[0]?.pointer, "/nik");
  assert.equal(issues[0].suggestion, "nick");
  assert.deepEqual(parse(person, { name: "Ada", even: 2, more: 1 }, "tolerant").value, {
    name: "Ada",
    role: "guest",
    even: 2,
  });
});

test("a refinement that only zod can check is reported at its place", () => {
  const { value, issues } = parse(person, { name: "Ada", even: 3 });
  assert.equal(value, undefined);
  assert.deepEqual(issues, [
    {
      pointer: "/even",
      keyword: "refinement",
      expected: "must be even",
      actual: "3",
      message: "/even: must be even",
    },
  ]);
});

test("a refinement never shows a secret", () => {
  const schema = z.object({
    pin: z
      .string()
      .refine(() => false, "is too simple")
      .meta({ "x-secret": true }),
  });
  assert.equal(parse(schema, { pin: "12345" }).issues[0]?.actual, '"[secret]"');
});

test("a transform is done once its result has a schema", () => {
  const schema = z.object({ text: z.string().transform(Number).pipe(z.number()) });
  type Checked = [InferInput<typeof schema>, InferOutput<typeof schema>];
  const types: Checked = [{ text: "7" }, { text: 7 }];
  const compiled = compileSchema(schema);
  const parsed = compiled.parse(types[0], "strict", []);
  assert.deepEqual(parsed, types[1]);
  assert.deepEqual(compiled.copy(types[1]), types[1]);
});

test("a transform whose result has no schema is refused with the way out", () => {
  const schema = z.object({ text: z.string().transform(Number) });
  assert.throws(() => compileSchema(schema), {
    name: "SchemaError",
    code: SchemaErrorCode.jsonSchemaFailed,
    message: /\.pipe/u,
  });
});

test("nested, recursive and tagged zod schemas work", () => {
  const tree = z.object({
    label: z.string(),
    get children() {
      return z.array(tree).optional();
    },
  });
  const event = z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("a"), tree }),
    z.object({ kind: z.literal("b"), map: z.record(z.string(), z.int()) }),
  ]);
  const value = { kind: "a", tree: { label: "x", children: [{ label: "y", children: [] }] } };
  assert.deepEqual(parse(event, value).value, value);
  const { issues } = parse(event, { kind: "b", map: { one: "1" } });
  assert.equal(issues[0]?.pointer, "/map/one");
});

test("a Standard Schema without JSON Schema is refused by its library's name", () => {
  const bare: StandardSchema = {
    "~standard": { version: 1, vendor: "acme", validate: (value) => ({ value }) },
  };
  assert.ok(isStandardSchema(bare));
  assert.throws(() => toJsonSchema(bare, "input"), {
    name: "SchemaError",
    code: SchemaErrorCode.jsonSchemaMissing,
    message: /acme/u,
  });
});

test("a schema that validates asynchronously is refused when it does so", () => {
  const schema = z.object({ name: z.string().refine(async () => Promise.resolve(true)) });
  assert.throws(() => parse(schema, { name: "Ada" }), SchemaError);
});

test("for TypeBox schemas input and output are the static type", () => {
  const schema = t.Object({ count: t.Integer() });
  const input: InferInput<typeof schema> = { count: 1 };
  const output: InferOutput<typeof schema> = input;
  assert.deepEqual(compileSchema(schema).parse(output, "strict", []), input);
});
