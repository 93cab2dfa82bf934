import assert from "node:assert/strict";
import { test } from "node:test";
import { describeConfig } from "./describe.ts";
import { enableSection } from "./layer-switches.ts";
import { resolveConfig } from "./resolve.ts";
import type { ConfigSection } from "./sections.ts";

const sections: readonly ConfigSection[] = [
  {
    path: ["http"],
    envPrefix: "BANYAN_HTTP",
    schema: {
      type: "object",
      required: ["port"],
      properties: {
        port: {
          type: "integer",
          minimum: 0,
          maximum: 65535,
          default: 7600,
          description: "Port of the HTTP surface; 0 takes a free one.",
        },
        origins: { type: "array", items: { type: "string" }, maxItems: 9 },
        keys: {
          type: "array",
          items: { type: "object", properties: { key: { type: "string", "x-secret": true } } },
        },
      },
    },
  },
  {
    path: ["services", "greeter"],
    envPrefix: "BANYAN_GREETER",
    schema: {
      type: "object",
      required: ["apiKey", "mode"],
      properties: {
        apiKey: { type: "string", "x-secret": true, default: "not-for-you" },
        mode: { enum: ["warm", "cold"] },
      },
    },
  },
];

/** A row as one line: name | variable | type | default | value | origin | marks. */
function lines(rows: ReturnType<typeof describeConfig>): string[] {
  return rows.map((row) => {
    const marks = `${row.required ? "required " : ""}${row.secret ? "secret" : ""}`.trim();
    const cells = [row.name, row.env, row.type, row.default, row.value, row.origin, marks];
    return cells.map((c) => (typeof c === "string" ? c : (JSON.stringify(c) ?? "-"))).join(" | ");
  });
}

test("docs need no resolution and hide the defaults of secrets", () => {
  assert.deepEqual(lines(describeConfig(sections)), [
    "http.port | BANYAN_HTTP_PORT | integer (0 to 65535) | 7600 | - | not set | ",
    "http.origins | BANYAN_HTTP_ORIGINS | list of string (at most 9 entries) | - | - | not set | ",
    "http.keys | BANYAN_HTTP_KEYS | list of object | - | - | not set | secret",
    "services.greeter.enabled | BANYAN_GREETER_ENABLED | boolean | - | - | not set | ",
    "services.greeter.apiKey | BANYAN_GREETER_API_KEY | string | [secret] | - | not set | secret",
    'services.greeter.mode | BANYAN_GREETER_MODE | "warm" | "cold" | - | - | not set | required',
  ]);
  assert.equal(
    describeConfig(sections)[0]?.description,
    "Port of the HTTP surface; 0 takes a free one.",
  );
});

test("a resolved configuration shows values with their origins, secrets hidden", () => {
  const resolution = resolveConfig({
    sections,
    sources: {
      flags: [{ pointer: "/http/port", value: "0", flag: "--port" }],
      env: { BANYAN_GREETER_API_KEY: "hunter2" },
      files: [
        {
          name: "banyan.yaml",
          tree: {
            http: { keys: [{ key: "hunter3" }], origins: ["a"] },
            services: { greeter: { mode: "warm", enabled: true } },
          },
          locate: () => ({ line: 4, column: 5 }),
        },
      ],
    },
  });
  const decisions = [{ name: "greeter", enabled: true, because: "banyan.yaml:4" }];
  const rows = describeConfig(sections, resolution, { secrets: "hidden", decisions });
  assert.deepEqual(
    rows.map((row) => [row.name, row.value, row.origin]),
    [
      ["http.port", 0, "--port"],
      ["http.origins", ["a"], "banyan.yaml:4:5"],
      ["http.keys", "[secret]", "banyan.yaml:4:5"],
      ["services.greeter.enabled", true, "banyan.yaml:4"],
      ["services.greeter.apiKey", "[secret]", "BANYAN_GREETER_API_KEY"],
      ["services.greeter.mode", "warm", "banyan.yaml:4:5"],
    ],
  );
  assert.equal(JSON.stringify(rows).includes("hunter"), false);
});

test("the layers' switches are rows like any other", () => {
  const names = describeConfig([enableSection]).map((row) => `${row.name} ${row.env}`);
  assert.equal(names[3], "enable.layers.L4 BANYAN_ENABLE_GAME_FEATURES");
});
