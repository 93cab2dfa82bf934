import assert from "node:assert/strict";
import { test } from "node:test";
import { formatProblems, mergeProblems, originText } from "./problems.ts";
import type { ConfigProblem } from "./problems.ts";
import { resolveConfig } from "./resolve.ts";

test("an origin is written as people look for it", () => {
  assert.equal(originText({ kind: "file", name: "a.yaml", line: 3, column: 9 }), "a.yaml:3:9");
  assert.equal(originText({ kind: "file", name: "a.yaml", line: 3 }), "a.yaml:3");
  assert.equal(originText({ kind: "flag", name: "--port" }), "--port");
});

test("merging sorts by place and drops what was said twice", () => {
  const at = (line: number): ConfigProblem => ({
    pointer: `/${line}`,
    origin: { kind: "file", name: "a.yaml", line, column: 1 },
    message: `line ${line}`,
  });
  const flag: ConfigProblem = {
    pointer: "/f",
    origin: { kind: "flag", name: "--f" },
    message: "f",
  };
  const missing: ConfigProblem = { pointer: "/a", message: "missing" };
  assert.deepEqual(mergeProblems([missing, at(10)], [flag, at(9), at(10)]), [
    at(9),
    at(10),
    flag,
    missing,
  ]);
});

test("problems print as one block each, the fix below", () => {
  const schema = {
    type: "object",
    required: ["port", "secretKey", "engine"],
    properties: {
      port: { type: "integer", minimum: 0, maximum: 65535, default: 7600 },
      secretKey: { type: "string", "x-secret": true, pattern: "^[0-9a-f]{8}$" },
      engine: { enum: ["sqlite", "memory"], default: "sqlite" },
      token: { type: "string" },
    },
  };
  const { problems } = resolveConfig({
    sections: [{ path: ["http"], envPrefix: "BANYAN_HTTP", schema }],
    sources: {
      flags: [{ pointer: "/http/port", value: "eighty", flag: "--port" }],
      env: { BANYAN_HTTP_ENGINE: "sqlit", BANYAN_HTTP_TOKN: "tok-1" },
      files: [
        {
          name: "banyan.yaml",
          tree: { http: { prot: 80, secretKey: "hunter2-hunter2" } },
          locate: (pointer) => ({ line: pointer.endsWith("prot") ? 2 : 3, column: 3 }),
        },
      ],
    },
  });
  assert.equal(
    formatProblems(problems),
    `banyan.yaml:2:3: http has no key "prot".
  Fix: Did you mean http.port?

banyan.yaml:3:3: http.secretKey must be a string matching ^[0-9a-f]{8}$.
  Fix: Set http.secretKey in banyan.yaml to: string (pattern ^[0-9a-f]{8}$).

BANYAN_HTTP_ENGINE: http.engine must be one of "sqlite", "memory", not "sqlit".
  Fix: Did you mean "sqlite"?

BANYAN_HTTP_TOKN: no configuration reads this variable.
  Fix: Did you mean BANYAN_HTTP_TOKEN? Rename it, or unset it.

--port: http.port must be an integer, not "eighty".
  Fix: Set --port to: integer (0 to 65535); or leave it out for the default 7600.`,
  );
  assert.equal(formatProblems([]), "");
});
