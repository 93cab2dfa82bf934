// The law of schemas, by random schemas and values: ajv is the reference for what is valid, the
// interpreter for what generated code must do.
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { generateParser } from "./generate.ts";
import { interpret } from "./interpret.ts";
import type { ParseMode } from "./issue.ts";
import { isSchemaObject, type JsonSchema } from "./json-schema.ts";
import { FAIL } from "./json-value.ts";
import { readSchema } from "./read-schema.ts";
import { SchemaError } from "./schema-error.ts";
import type { SchemaNode } from "./schema-node.ts";

/** More by hand: `SCHEMA_LAW_RUNS=5000`. fast-check prints the seed of a failure. */
const RUNS = Number(process.env["SCHEMA_LAW_RUNS"] ?? 80);

type Keywords = Record<string, unknown>;

const NAMES = ["a", "b", "c", "x1", "constructor"] as const;
const SCALARS = [
  null,
  true,
  false,
  0,
  1,
  2,
  3,
  4.5,
  -1,
  "",
  "a",
  "ab",
  "abc",
  "é😀",
  "x1",
] as const;

const name = fc.constantFrom(...NAMES);
const scalar = fc.constantFrom(...SCALARS);
const small = fc.nat({ max: 3 });

const leaf: fc.Arbitrary<JsonSchema> = fc.oneof(
  fc.constantFrom<JsonSchema>(true, {}, { type: "string" }, { type: "integer" }, { type: "null" }),
  fc.constantFrom<JsonSchema>({ type: ["string", "null"] }, { type: ["number", "boolean"] }),
  fc.record({ minLength: small, maxLength: small }, { requiredKeys: [] }),
  fc.constantFrom<JsonSchema>({ type: "string", pattern: "^a" }, { pattern: "b$", type: "string" }),
  fc.record({ minimum: small, exclusiveMaximum: small }, { requiredKeys: [] }),
  fc.constantFrom<JsonSchema>({ type: "number", multipleOf: 0.5 }, { multipleOf: 2 }),
  fc.record({ enum: fc.uniqueArray(scalar, { minLength: 1, maxLength: 3 }) }),
  fc.record({ const: fc.oneof(scalar, fc.constantFrom([1], { a: 1 })) }),
);

const { schema } = fc.letrec<{ schema: JsonSchema; object: JsonSchema }>((tie) => {
  const inner = tie("schema");
  const list = fc.array(inner, { minLength: 1, maxLength: 3 });
  const objectKeywords = {
    type: fc.constant("object"),
    properties: fc.dictionary(name, inner, { maxKeys: 3 }),
    required: fc.uniqueArray(name, { maxLength: 2 }),
    additionalProperties: fc.oneof(fc.boolean(), inner),
    patternProperties: fc.dictionary(fc.constantFrom("^x", "^a$", "."), inner, { maxKeys: 2 }),
    propertyNames: fc.constantFrom<JsonSchema>({ maxLength: 1 }, { enum: ["a", "b", "c"] }),
    minProperties: small,
    maxProperties: small,
    dependentRequired: fc.dictionary(name, fc.uniqueArray(name, { maxLength: 2 }), { maxKeys: 1 }),
  };
  const plainKeys: ("type" | "properties")[] = ["type", "properties"];
  const object = fc.oneof(
    { arbitrary: fc.record(objectKeywords, { requiredKeys: plainKeys }), weight: 2 },
    { arbitrary: fc.record(objectKeywords, { requiredKeys: [] }), weight: 1 },
  );
  const array = fc.record(
    {
      type: fc.constant("array"),
      items: inner,
      prefixItems: list,
      minItems: small,
      maxItems: small,
      uniqueItems: fc.boolean(),
      contains: inner,
      minContains: small,
      maxContains: small,
    },
    { requiredKeys: ["type"] },
  );
  const combined = fc.record(
    {
      allOf: list,
      anyOf: list,
      oneOf: list,
      not: leaf,
      if: inner,
      then: inner,
      else: inner,
      $ref: fc.constantFrom("#/$defs/one", "#/$defs/two"),
    },
    { requiredKeys: [] },
  );
  const tagged = fc
    .tuple(object, object)
    .map(([left, right]) => ({ anyOf: [withTag(left, "a"), withTag(right, "b")] }));
  const both = fc.tuple(object, combined).map(([left, right]) => ({ ...left, ...right }));
  return {
    object,
    schema: fc.oneof(
      { depthSize: "small", withCrossShrink: true },
      { arbitrary: leaf, weight: 4 },
      { arbitrary: object, weight: 4 },
      { arbitrary: array, weight: 2 },
      { arbitrary: combined, weight: 2 },
      { arbitrary: tagged, weight: 1 },
      { arbitrary: both, weight: 1 },
    ),
  };
});

const documents = fc
  .tuple(schema, schema, schema)
  .map(([root, one, two]) => (typeof root === "boolean" ? root : { ...root, $defs: { one, two } }));

function withTag(object: unknown, value: string): Keywords {
  const keywords: Keywords = isSchemaObject(object) ? { ...object } : {};
  const properties = isSchemaObject(keywords["properties"]) ? keywords["properties"] : {};
  const required = Array.isArray(keywords["required"]) ? keywords["required"] : [];
  return {
    ...keywords,
    type: "object",
    properties: { ...properties, kind: { const: value } },
    required: [...new Set<unknown>([...required, "kind"])],
  };
}

const anything: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    scalar,
    fc.dictionary(fc.oneof(name, fc.constant("kind")), tie("value"), { maxKeys: 4 }),
    fc.array(tie("value"), { maxLength: 3 }),
  ),
})).value;

/** Values near to valid: built along the schema, with something else here and there. */
function near(part: unknown, depth = 0): fc.Arbitrary<unknown> {
  if (!isSchemaObject(part) || depth > 4) return anything;
  const options: fc.Arbitrary<unknown>[] = [anything];
  if ("const" in part) options.push(fc.constant(part["const"]));
  if (Array.isArray(part["enum"])) options.push(fc.constantFrom<unknown>(...part["enum"]));
  const properties = part["properties"];
  if (isSchemaObject(properties)) {
    const fields = Object.entries(properties).map(([key, child]) => [key, near(child, depth + 1)]);
    const named: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(fields);
    const most = fc.record(named, { requiredKeys: Object.keys(named) });
    const others = fc.dictionary(name, anything, { maxKeys: 1 });
    options.push(most, most, fc.record(named, { requiredKeys: [] }));
    options.push(fc.tuple(others, most).map(([left, right]) => ({ ...left, ...right })));
  }
  if (isSchemaObject(part["items"])) {
    options.push(fc.array(near(part["items"], depth + 1), { maxLength: 3 }));
  }
  for (const keyword of ["allOf", "anyOf", "oneOf"]) {
    const list = part[keyword];
    if (Array.isArray(list)) options.push(...list.map((child) => near(child, depth + 1)));
  }
  const nulls = options.slice(1);
  return nulls.length === 0 ? anything : fc.oneof(options[0] ?? anything, ...nulls, ...nulls);
}

const cases = documents.chain((document) =>
  fc.tuple(fc.constant(document), fc.array(near(document), { minLength: 4, maxLength: 8 })),
);

/** The nodes of a random schema; one that never ends is no case. */
function read(document: JsonSchema): SchemaNode {
  try {
    return readSchema(document).root;
  } catch (error) {
    if (error instanceof SchemaError) fc.pre(false);
    throw error;
  }
}

/** ajv without its check of the schema itself, which would take most of the time. */
function ajvOf(document: JsonSchema): (value: unknown) => boolean {
  const options = { strict: false, ownProperties: true, meta: false, validateSchema: false };
  const validate = new Ajv2020(options).compile(document);
  return (value) => {
    try {
      return validate(value);
    } catch (error) {
      // ajv writes code with an undefined variable for some recursive schemas: no case for us.
      fc.pre(!(error instanceof ReferenceError));
      throw error;
    }
  };
}

function reference(root: SchemaNode, value: unknown, mode: ParseMode): unknown {
  return interpret(root, value, { mode, issues: [] });
}

test("generated code and the interpreter agree on every verdict and every copy", () => {
  fc.assert(
    fc.property(cases, ([document, values]) => {
      const root = read(document);
      for (const mode of ["strict", "tolerant"] as const) {
        const parser = generateParser(root, mode);
        for (const value of values) {
          assert.deepEqual(parser(value, 0), reference(root, value, mode), JSON.stringify(value));
        }
      }
    }),
    { numRuns: RUNS },
  );
});

test("a trusted copy is the copy that validation makes", () => {
  fc.assert(
    fc.property(cases, ([document, values]) => {
      const root = read(document);
      const copy = generateParser(root, "copy");
      for (const value of values) {
        const expected = reference(root, value, "tolerant");
        if (expected === FAIL) continue;
        assert.deepEqual(copy(value, 0), expected);
        const trusting = interpret(root, value, { mode: "trusting", issues: [] });
        assert.deepEqual(trusting, expected);
      }
    }),
    { numRuns: RUNS },
  );
});

test("tolerant mode accepts exactly what ajv accepts", () => {
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(cases, ([document, values]) => {
      const root = read(document);
      // ajv lets an empty array pass `contains` when `prefixItems` stands beside it.
      const text = JSON.stringify(document);
      fc.pre(!text.includes('"contains"') || !text.includes('"prefixItems"'));
      const validate = ajvOf(document);
      for (const value of values) {
        const valid = reference(root, value, "tolerant") !== FAIL;
        // For ajv an object without a prototype equals no other; JSON has no such difference.
        const plainValue: unknown = JSON.parse(JSON.stringify(value));
        assert.equal(valid, validate(plainValue), JSON.stringify(value));
        if (valid) accepted += 1;
        else refused += 1;
      }
    }),
    { numRuns: RUNS },
  );
  assert.ok(
    accepted > RUNS && refused > RUNS,
    `one-sided: ${accepted} accepted, ${refused} refused`,
  );
});

/** Objects of objects and arrays: what most contracts are. */
const plain = fc.letrec<{ schema: Keywords }>((tie) => ({
  schema: fc.oneof(
    { depthSize: "small" },
    fc.constantFrom<Keywords>({ type: "string" }, { type: "integer" }, { type: "boolean" }),
    fc.record({ type: fc.constant("array"), items: tie("schema") }),
    fc.record(
      {
        type: fc.constant("object"),
        properties: fc.dictionary(name, tie("schema"), { maxKeys: 3 }),
        required: fc.uniqueArray(name, { maxLength: 1 }),
      },
      { requiredKeys: ["type", "properties"] },
    ),
  ),
})).schema;

const plainCases = plain.chain((document) =>
  fc.tuple(fc.constant(document), fc.array(near(document), { minLength: 4, maxLength: 8 })),
);

function closed(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(closed);
  if (!isSchemaObject(part)) return part;
  const copy = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, closed(value)]));
  return part["type"] === "object" && isSchemaObject(part["properties"])
    ? { ...copy, additionalProperties: false }
    : copy;
}

test("strict mode is ajv with every object closed", () => {
  fc.assert(
    fc.property(plainCases, ([document, values]) => {
      const root = read(document);
      const strict = closed(document);
      assert.ok(isSchemaObject(strict));
      const validate = ajvOf(strict);
      for (const value of values) {
        const valid = reference(root, value, "strict") !== FAIL;
        assert.equal(valid, validate(value), JSON.stringify(value));
      }
    }),
    { numRuns: RUNS },
  );
});

// Without "constructor": ajv looks evaluated names up in an object that inherits it.
const plainName = fc.constantFrom("a", "b", "c", "x1");
const flat = fc.dictionary(plainName, leaf, { maxKeys: 3 }).map((properties) => ({ properties }));
// Without `if`: ajv counts what a failed `if` evaluated, and forgets `allOf` when `then` fits.
const composed = fc.record(
  {
    properties: fc.dictionary(plainName, leaf, { maxKeys: 2 }),
    allOf: fc.array(flat, { minLength: 1, maxLength: 3 }),
    anyOf: fc.array(flat, { minLength: 1, maxLength: 3 }),
    oneOf: fc.array(flat, { minLength: 1, maxLength: 2 }),
  },
  { requiredKeys: ["properties"] },
);

test("in a composed schema strict mode refuses what ajv calls unevaluated", () => {
  const compositions = composed.chain((document) =>
    fc.tuple(fc.constant(document), fc.array(near(document), { minLength: 4, maxLength: 8 })),
  );
  fc.assert(
    fc.property(compositions, ([document, values]) => {
      const root = read(document);
      const strict = { ...document, unevaluatedProperties: false };
      const validate = ajvOf(strict);
      for (const value of values.filter(isSchemaObject)) {
        if (Object.hasOwn(value, "constructor")) continue;
        // Deeper objects are described by nobody here and stay open; ajv says the same.
        const valid = reference(root, value, "strict") !== FAIL;
        assert.equal(valid, validate(value), JSON.stringify(value));
      }
    }),
    { numRuns: RUNS },
  );
});

function pruned(part: unknown, value: unknown): unknown {
  if (!isSchemaObject(part)) return value;
  if (Array.isArray(value)) return value.map((item) => pruned(part["items"], item));
  const properties = part["properties"];
  if (!isSchemaObject(value) || !isSchemaObject(properties)) return value;
  const kept = Object.entries(value).filter(([key]) => Object.hasOwn(properties, key));
  return Object.fromEntries(kept.map(([key, item]) => [key, pruned(properties[key], item)]));
}

test("a tolerant copy is the value without what the schema does not name", () => {
  fc.assert(
    fc.property(plainCases, ([document, values]) => {
      const parser = generateParser(read(document), "tolerant");
      for (const value of values) {
        const copy = parser(value, 0);
        if (copy !== FAIL) assert.deepEqual(copy, pruned(document, value));
      }
    }),
    { numRuns: RUNS },
  );
});

function containers(value: unknown, found: Set<object> = new Set()): Set<object> {
  if (typeof value !== "object" || value === null) return found;
  found.add(value);
  for (const part of Object.values(value)) containers(part, found);
  return found;
}

test("a copy shares no object with the value", () => {
  fc.assert(
    fc.property(cases, ([document, values]) => {
      const root = read(document);
      for (const flavour of ["strict", "tolerant", "copy"] as const) {
        const parser = generateParser(root, flavour);
        for (const value of values) {
          const before = JSON.stringify(value);
          const copy = parser(value, 0);
          assert.ok(containers(copy).isDisjointFrom(containers(value)));
          assert.equal(JSON.stringify(value), before, "the value itself was changed");
        }
      }
    }),
    { numRuns: RUNS },
  );
});
