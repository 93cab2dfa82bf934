import assert from "node:assert/strict";
import { test } from "node:test";
import { cliCallText } from "./try-it.ts";
import type { OperationRow } from "./node-answers.ts";

const greet: OperationRow = {
  name: "greet",
  summary: "Greet one person by name.",
  description: "",
  access: "anonymous",
  kind: "unary",
  method: "POST",
  path: "/greeter/greet",
  idempotent: false,
  deadlineMs: undefined,
  streamAhead: undefined,
  errors: [],
  request: undefined,
  response: undefined,
  stream: undefined,
  example: { name: "Ada" },
};

test("a call to paste is spelled so that the shell finds the command", () => {
  assert.equal(cliCallText("greeter", greet, {}), "banyan call greeter greet name=Ada");
  assert.equal(
    cliCallText("greeter", greet, { npm_command: "start" }),
    "npx banyan call greeter greet name=Ada",
  );
});

test("an example that is not flat is pasted as JSON, quoted for the shell", () => {
  const nested = { ...greet, example: { to: { name: "O'Hara" } } };
  assert.equal(
    cliCallText("greeter", nested, {}),
    `banyan call greeter greet '{"to":{"name":"O'\\''Hara"}}'`,
  );
});
