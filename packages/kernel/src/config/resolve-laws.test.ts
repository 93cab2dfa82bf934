import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { describeConfig } from "./describe.ts";
import { configJsonSchema } from "./json-schema.ts";
import { formatProblems } from "./problems.ts";
import type { ConfigSources } from "./read-sources.ts";
import { resolveConfig } from "./resolve.ts";
import type { ConfigSection } from "./sections.ts";

const keys = ["alpha", "betaValue", "gamma"] as const;

const numbers: ConfigSection = {
  path: ["box", "inner"],
  envPrefix: "BANYAN_BOX",
  schema: {
    type: "object",
    properties: Object.fromEntries(keys.map((key) => [key, { type: "integer", default: 0 }])),
  },
};

/** What each source says about each key; `undefined` is nothing. */
const said = fc.record({
  flag: fc.option(fc.integer(), { nil: undefined }),
  env: fc.option(fc.integer(), { nil: undefined }),
  first: fc.option(fc.integer(), { nil: undefined }),
  second: fc.option(fc.integer(), { nil: undefined }),
});
type Said = typeof said extends fc.Arbitrary<infer T> ? T : never;

function sourcesOf(words: Readonly<Record<(typeof keys)[number], Said>>): ConfigSources {
  const variable = { alpha: "ALPHA", betaValue: "BETA_VALUE", gamma: "GAMMA" };
  const file = (name: "first" | "second") => ({
    name: `${name}.yaml`,
    tree: {
      box: {
        inner: Object.fromEntries(
          keys.flatMap((key) => (words[key][name] === undefined ? [] : [[key, words[key][name]]])),
        ),
      },
    },
  });
  return {
    flags: keys.map((key) => ({
      pointer: `/box/inner/${key}`,
      value: words[key].flag?.toString(),
      flag: `--${key}`,
    })),
    env: Object.fromEntries(
      keys.map((key) => [`BANYAN_BOX_${variable[key]}`, words[key].env?.toString()]),
    ),
    files: [file("first"), file("second")],
  };
}

describe("laws of resolution", () => {
  test("for any subset of sources the strongest that speaks of a leaf wins", () => {
    const words = fc.record({ alpha: said, betaValue: said, gamma: said });
    fc.assert(
      fc.property(words, (all) => {
        const resolution = resolveConfig({ sections: [numbers], sources: sourcesOf(all) });
        assert.deepEqual(resolution.problems, []);
        const expected = keys.map((key) => {
          const { flag, env, first, second } = all[key];
          return [key, flag ?? env ?? first ?? second ?? 0];
        });
        assert.deepEqual(resolution.values, { box: { inner: Object.fromEntries(expected) } });
        for (const key of keys) {
          const { flag, env, first, second } = all[key];
          const kind = flag !== undefined ? "flag" : env !== undefined ? "env" : undefined;
          const weak = first !== undefined || second !== undefined ? "file" : "default";
          assert.equal(resolution.origins.get(`/box/inner/${key}`)?.kind, kind ?? weak);
        }
      }),
    );
  });

  test("no input whatever makes it throw or change what it was given", () => {
    const tree = fc.jsonValue();
    const text = fc.oneof(fc.string(), fc.json());
    fc.assert(
      fc.property(tree, tree, text, (file, inner, env) => {
        const sources = {
          flags: [{ pointer: "/box/inner", value: inner, flag: "--box" }],
          env: { BANYAN_BOX_ALPHA: env, [`BANYAN_${env}`]: env },
          files: [
            { name: "a.yaml", tree: file },
            { name: "b.yaml", tree: { box: { inner } } },
          ],
        };
        const before = structuredClone(sources);
        const once = resolveConfig({ sections: [numbers], sources });
        const again = resolveConfig({ sections: [numbers], sources });
        assert.deepEqual(sources, before);
        assert.deepEqual(once, again);
      }),
    );
  });
});

describe("secrets", () => {
  const secret = { type: "string", minLength: 40, "x-secret": true };
  const vault: ConfigSection = {
    path: ["services", "vault"],
    envPrefix: "BANYAN_VAULT",
    schema: {
      type: "object",
      required: ["key"],
      properties: {
        key: secret,
        short: { type: "string", "x-secret": true },
        pin: { type: "integer", "x-secret": true, maximum: 5 },
        mode: { enum: ["a", "b"], "x-secret": true },
        list: { type: "array", items: { type: "string", "x-secret": true, maxLength: 3 } },
        either: { anyOf: [secret, { type: "integer" }] },
        users: {
          type: "object",
          additionalProperties: { type: "object", properties: { password: secret } },
        },
        nested: {
          type: "object",
          writeOnly: true,
          properties: { token: { type: "string", maxLength: 3 }, count: { type: "integer" } },
        },
        plain: { type: "string" },
      },
      dependentRequired: { short: ["plain"] },
    },
  };

  const names = ["KEY", "SHORT", "PIN", "MODE", "LIST", "EITHER", "USERS"];
  const wrapped = ["NESTED_TOKEN", "NESTED_COUNT", "KYE"];

  test("no secret of any shape, right or wrong, shows in a problem, a row or the schema", () => {
    const token = fc.stringMatching(/^zq[a-z0-9]{10,50}qz$/);
    const frame = fc.constantFrom(
      (t: string) => t,
      (t: string) => `${t},${t}`,
      (t: string) => `["${t}"]`,
      (t: string) => `{"ada":{"password":"${t}"}}`,
      (t: string) => `{"broken": "${t}"`,
    );
    const asTree = fc.constantFrom<(t: string) => unknown>(
      (t) => t,
      (t) => [t],
      (t) => ({ ada: { password: t } }),
      (t) => ({ token: t, count: t }),
      (t) => ({ token: [t] }),
    );
    const shape = fc.record({ write: frame, nest: asTree });
    fc.assert(
      fc.property(token, shape, fc.boolean(), (value, { write, nest }, useEnv) => {
        const env = Object.fromEntries(
          [...names, ...wrapped].map((name) => [`BANYAN_VAULT_${name}`, write(value)]),
        );
        const tree = Object.fromEntries(
          ["key", "short", "pin", "mode", "list", "either", "users", "nested", "kye"].map((key) => [
            key,
            nest(value),
          ]),
        );
        const files = [
          { name: "banyan.yaml", tree: { services: { vault: tree } } },
          { name: "whole.yaml", tree: { services: { vault: value } } },
        ];
        const flags = [{ pointer: "/services/vault/key", value: [value], flag: "--key" }];
        const sections = [vault];
        const sources = useEnv ? { env } : { files, flags };
        const resolution = resolveConfig({ sections, sources });
        const output = [
          formatProblems(resolution.problems),
          JSON.stringify(resolution.problems),
          JSON.stringify([...resolution.origins]),
          JSON.stringify(describeConfig(sections, resolution)),
          JSON.stringify(configJsonSchema(sections)),
        ].join("\n");
        assert.equal(output.includes(value), false, output);
      }),
    );
  });

  test("a rule of the whole section does not show the secret either", () => {
    const env = { BANYAN_VAULT_SHORT: "hunter2", BANYAN_VAULT_KEY: "k".repeat(40) };
    const { problems } = resolveConfig({ sections: [vault], sources: { env } });
    assert.equal(problems.length, 1);
    assert.equal(formatProblems(problems).includes("hunter2"), false);
  });
});
