/** What a node says about itself, held to the official schemas of the formats. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import specs from "@asyncapi/specs";
import { Validator } from "@seriousme/openapi-schema-validator";
import { defineContract, on, t } from "@banyan/kernel";
import type { JsonSchema, Schema } from "@banyan/kernel";
import { compileSchema, toJsonSchema } from "@banyan/kernel/internal";
import { Ajv } from "ajv";
import type { AnySchema } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import fc from "fast-check";
import { seedOf } from "@banyan/testbed";
import { z } from "zod";
import { nodeContract } from "../node-contract.ts";
import { openSample, request, sample } from "../sample-node.test.ts";
import { asyncApiDocument } from "./asyncapi.ts";
import { exampleOf } from "./example.ts";
import { openApiDocument } from "./openapi.ts";
import { closedSchema } from "./request-schema.ts";

const summary = "For a test.";
const version = "1.0.0";

interface Tree {
  readonly $id?: string;
  readonly children?: readonly Tree[];
}

const tree = t.Unsafe<Tree>({
  type: "object",
  properties: { children: { type: "array", items: { $ref: "#" } } },
});
const withDefs = t.Unsafe<{ point: unknown }>({
  type: "object",
  required: ["point"],
  properties: { point: { $ref: "#/$defs/point" } },
  $defs: { point: { type: "object", properties: { x: { type: "number" } } } },
});

const various = defineContract("various", {
  summary,
  description: "Schemas of every kind.",
  version,
  events: {
    told: t.Object({ word: t.String() }),
    versioned: {
      payload: t.Object({ n: t.Integer() }),
      summary: "With more to say.",
      version: 2,
      upgrade: { 1: (old) => old },
    },
    closed: t.Object({ word: t.String() }, { additionalProperties: false }),
  },
  subscriptions: { greetings: on(sample, "greeted") },
  operations: {
    tree: { summary, request: tree, response: tree },
    defs: { summary, deprecated: true, request: withDefs, idempotent: true },
    zod: {
      summary,
      access: { permission: "a.b", resource: "/name" },
      request: z.object({ name: z.string().min(2), age: z.number().int().optional() }),
      response: z.object({ ok: z.boolean() }),
    },
    union: {
      summary,
      request: t.Object({ either: t.Union([t.String(), t.Object({ a: t.Number() })]) }),
    },
  },
});

describe("OpenAPI", () => {
  test("of the node, the sample and every kind of schema is valid 3.1", async () => {
    const document = openApiDocument([nodeContract, sample, various], { version });
    const result = await new Validator().validate(structuredClone(document));
    assert.ok(result.valid, JSON.stringify(result.errors));
    assert.match(JSON.stringify(document), /"openapi":"3\.1\./);
  });

  test("as it is served is valid, names every operation and is the same each time", async () => {
    await using node = await openSample();
    const first = await request(node.url, "/openapi.json");
    const second = await request(node.url, "/openapi.json");
    assert.equal(first.text, second.text);
    const result = await new Validator().validate(first.body);
    assert.ok(result.valid, JSON.stringify(result.errors));
    const paths = Object.keys(first.body["paths"] as object);
    for (const path of [
      "/sample/greet",
      "/sample/admin/reset",
      "/files/{name}",
      "/node/services",
    ]) {
      assert.ok(paths.includes(path), path);
    }
  });

  test("its schemas compile where they stand, with their references", () => {
    const document = openApiDocument([various], { version });
    const ajv = new Ajv2020({ strict: false });
    const paths = document["paths"] as Record<string, { post: { requestBody: Body } }>;
    const schemaOf = (path: string): JsonSchema =>
      paths[path]?.post.requestBody.content["application/json"].schema ?? false;
    const isTree = ajv.compile(schemaOf("/various/tree"));
    assert.ok(isTree({ children: [{ children: [] }] }));
    assert.ok(!isTree({ children: [7] }));
    const isPoint = ajv.compile(schemaOf("/various/defs"));
    assert.ok(isPoint({ point: { x: 1 } }));
    assert.ok(!isPoint({ point: { x: "1" } }));
  });
});

interface Body {
  readonly content: { readonly "application/json": { readonly schema: JsonSchema } };
}

describe("AsyncAPI", () => {
  test("is valid 3.0, and every reference leads somewhere", () => {
    const document = asyncApiDocument([sample, various], { version });
    const ajv = new Ajv({
      strict: false,
      validateFormats: false,
      // It brings its own copy of the meta-schema.
      meta: false,
      validateSchema: false,
    });
    // The same format in the words of two type packages.
    const valid = ajv.compile({ ...specs.schemas["3.0.0"] } as AnySchema)(document);
    assert.ok(valid, JSON.stringify(ajv.errors?.slice(0, 3)));
    const text = JSON.stringify(document);
    const channels = Object.keys(document["channels"] as object);
    for (const [, name] of text.matchAll(/"#\/channels\/([^"]+)"/g)) {
      assert.ok(channels.includes(name ?? ""), name);
    }
  });

  test("says of each event whether it is durable, and what orders it", () => {
    const told = defineContract("told", {
      summary,
      version,
      events: {
        plain: t.Object({}),
        quick: { payload: t.Object({ id: t.String() }), durability: "ephemeral", orderedBy: "/id" },
      },
    });
    const text = JSON.stringify(asyncApiDocument([told], { version }));
    assert.match(text, /"x-schema-version":1,"x-durability":"durable"\}/);
    assert.match(text, /"x-durability":"ephemeral","x-ordered-by":"\/id"/);
  });

  test("a payload that takes no other fields still fits its message", () => {
    const document = asyncApiDocument([various], { version });
    const channels = document["channels"] as Record<
      string,
      { messages: Record<string, { payload: JsonSchema }> }
    >;
    const schema = channels["various.closed"]?.messages["closed"]?.payload ?? false;
    const fits = new Ajv2020({ strict: false, validateFormats: false }).compile(schema);
    assert.ok(fits({ word: "x", eventId: "1", timestamp: "2" }), JSON.stringify(fits.errors));
    assert.ok(!fits({ word: "x", eventId: "1", timestamp: "2", more: 1 }));
  });
});

describe("The schema shown for a request", () => {
  const schemas: [title: string, schema: Schema][] = [
    ["plain", t.Object({ a: t.String(), b: t.Optional(t.Integer()) })],
    ["a default", t.Object({ a: t.String({ default: "x" }) })],
    ["nested", t.Object({ a: t.Object({ b: t.Optional(t.Object({ c: t.Number() })) }) })],
    ["an array", t.Object({ a: t.Array(t.Object({ b: t.Boolean() })) })],
    ["a record", t.Object({ a: t.Record(t.String(), t.Object({ b: t.Optional(t.Integer()) })) })],
    ["a union", t.Union([t.Object({ a: t.String() }), t.Object({ b: t.Integer() })])],
    ["a tree", tree],
    ["definitions", withDefs],
    [
      "an intersection",
      t.Unsafe({ allOf: [t.Object({ a: t.String() }), t.Object({ b: t.Integer() })] }),
    ],
    ["open on purpose", t.Object({ a: t.String() }, { additionalProperties: true })],
  ];
  for (const [title, schema] of schemas) {
    test(`agrees with what the edge takes: ${title}`, () => {
      const seed = seedOf();
      const json = toJsonSchema(schema, "input");
      const compiled = compileSchema(schema);
      const shown = new Ajv2020({ strict: false }).compile(closedSchema(json));
      const leaf = fc.oneof(fc.constantFrom("x", 1, 1.5, true, null));
      const value = fc.letrec((tie) => ({
        any: fc.oneof(
          { depthSize: "small" },
          leaf,
          fc.array(tie("any"), { maxLength: 2 }),
          tie("object"),
        ),
        object: fc.dictionary(
          fc.constantFrom("a", "b", "c", "x", "point", "children"),
          tie("any"),
          { maxKeys: 3, noNullPrototype: true },
        ),
      })).object;
      fc.assert(
        fc.property(value, (input) => {
          const issues: never[] = [];
          compiled.parse(input, "strict", issues);
          assert.equal(shown(input), issues.length === 0, JSON.stringify({ input, issues }));
        }),
        { seed, numRuns: 300 },
      );
    });
  }

  test("has an example that fits, wherever one is shown", () => {
    for (const [, schema] of schemas) {
      const example = exampleOf(toJsonSchema(schema, "input"));
      assert.notEqual(example, undefined);
      const issues: never[] = [];
      compileSchema(schema).parse(example, "strict", issues);
      assert.deepEqual(issues, []);
    }
  });
});
