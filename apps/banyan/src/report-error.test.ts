import assert from "node:assert/strict";
import { test } from "node:test";
import { BanyanError } from "@banyan/kernel";
import { cliErrors } from "./errors.ts";
import { reportError } from "./report-error.ts";
import type { Terminal } from "./terminal.ts";

function recorder(json = false): { terminal: Terminal; lines: string[] } {
  const lines: string[] = [];
  const plain = (_style: unknown, text: string): string => text;
  const note = (text: string): void => void lines.push(text);
  const print = (): void => assert.fail("an error goes to standard error");
  return {
    lines,
    terminal: {
      json,
      interactive: false,
      columns: 100,
      print,
      note,
      style: plain,
      styleNote: plain,
    },
  };
}

test("an error says what, then where, then what to do", () => {
  const { terminal, lines } = recorder();
  const error = cliErrors.CLI_NOT_CONNECTED("No node runs here.", {
    details: { where: "/x/node.json is not there", fix: "Start one." },
  });
  assert.equal(reportError(error, terminal), 7);
  assert.deepEqual(lines, [
    "error: No node runs here.",
    "  where: /x/node.json is not there",
    "  fix:   Start one.",
    "  code:  CLI_NOT_CONNECTED",
  ]);
});

test("issues are listed with their pointers, but not what the message says already", () => {
  const { terminal, lines } = recorder();
  const error = new BanyanError({
    kind: "invalid_argument",
    code: "REQUEST_INVALID",
    message: "Two things: /a must be a string",
    details: {
      issues: [
        { pointer: "/a", message: "/a must be a string" },
        { pointer: "/b", message: "b must be there" },
      ],
    },
  });
  assert.equal(reportError(error, terminal), 2);
  assert.deepEqual(lines.slice(1, 2), ["  at /b: b must be there"]);
});

test("a message from elsewhere cannot move the cursor", () => {
  const { terminal, lines } = recorder();
  const message = "a\u001B[2J\u0007b";
  reportError(new BanyanError({ kind: "internal", code: "X", message }), terminal);
  assert.equal(lines[0], "error: a b");
});

test("with --json an error is one object with its exit code", () => {
  const { terminal, lines } = recorder(true);
  const fix = { details: { fix: "Do." } };
  assert.equal(reportError(cliErrors.CLI_USAGE("No.", fix), terminal), 2);
  assert.deepEqual(JSON.parse(lines.join("\n")), {
    error: {
      kind: "invalid_argument",
      code: "CLI_USAGE",
      message: "No.",
      details: { fix: "Do." },
      retryable: false,
      exitCode: 2,
    },
  });
});

test("what nobody planned keeps its stack and ends with 1", () => {
  const { terminal, lines } = recorder();
  assert.equal(reportError(new TypeError("oops"), terminal), 1);
  assert.equal(lines[0], "error: oops");
  assert.match(lines.join("\n"), /report-error\.test\.ts/);
});
