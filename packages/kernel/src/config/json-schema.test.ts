import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { configJsonSchema } from "./json-schema.ts";
import { enableSection } from "./layer-switches.ts";
import type { ConfigSection } from "./sections.ts";

const sections: readonly ConfigSection[] = [
  enableSection,
  {
    path: ["http"],
    envPrefix: "BANYAN_HTTP",
    schema: {
      title: "HTTP",
      description: "The HTTP surface.",
      type: "object",
      required: ["port"],
      properties: {
        port: { type: "integer", minimum: 0 },
        key: { type: "string", "x-secret": true, default: "hunter2" },
      },
    },
  },
  {
    path: ["services", "tree"],
    envPrefix: "BANYAN_TREE",
    schema: {
      $defs: { node: { type: "object", properties: { next: { $ref: "#/$defs/node" } } } },
      type: "object",
      properties: { start: { $ref: "#/$defs/node" }, list: { type: "array", items: {} } },
    },
  },
  {
    path: ["discover"],
    envPrefix: "BANYAN_DISCOVER",
    schema: { type: "array", items: { type: "string" }, default: [] },
  },
];

const schema = configJsonSchema(sections, {
  id: "https://example.test/banyan.schema.json",
  knownServices: ["hello"],
});
const accepts = new Ajv2020({ strict: false }).compile(schema);

describe("the schema of the file", () => {
  const good: readonly unknown[] = [
    {},
    { http: {} },
    { http: { port: 1, key: "k" }, discover: ["a/*"] },
    { services: { tree: { enabled: false, from: "./tree.ts", start: { next: { next: {} } } } } },
    { services: { hello: { enabled: true, whatever: 7 } } },
    { enable: { layers: { L4: false } } },
  ];
  for (const file of good) {
    test(`accepts ${JSON.stringify(file)}`, () => assert.equal(accepts(file), true));
  }

  const bad: readonly unknown[] = [
    { htpp: {} },
    { http: { prot: 1 } },
    { http: { port: -1 } },
    { services: { nobody: {} } },
    { services: { tree: { enabled: "no" } } },
    { services: { tree: { start: { next: 1 } } } },
    { enable: { layers: { L9: false } } },
    { discover: "a" },
  ];
  for (const file of bad) {
    test(`refuses ${JSON.stringify(file)}`, () => assert.equal(accepts(file), false));
  }

  test("carries titles and descriptions, and no default of a secret", () => {
    assert.equal(schema["title"], "Banyan configuration");
    assert.equal(schema["$id"], "https://example.test/banyan.schema.json");
    const text = JSON.stringify(schema);
    assert.match(text, /"title":"HTTP","description":"The HTTP surface\."/);
    assert.equal(text.includes("hunter2"), false);
  });

  test("leaves the schemas of the sections as they were", () => {
    assert.deepEqual(configJsonSchema(sections), configJsonSchema(sections));
    assert.ok(Object.hasOwn(sections[1]?.schema ?? {}, "required"));
  });
});
