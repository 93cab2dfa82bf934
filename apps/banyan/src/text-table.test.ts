import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceTable } from "./service-table.ts";
import { createTerminal } from "./terminal.ts";
import type { TerminalOptions } from "./terminal.ts";
import { escaped, oneLine, prettyJson, shortJson, textTable } from "./text-table.ts";

function terminal(options: Partial<TerminalOptions>): ReturnType<typeof createTerminal> {
  const { stdout, stderr } = process;
  return createTerminal({ json: false, noColor: false, env: {}, stdout, stderr, ...options });
}

test("columns line up, colours take no room, lines end without spaces", () => {
  const red = "\u001B[31mab\u001B[39m";
  assert.equal(
    textTable(
      [
        ["a", "b", ""],
        [red, "c", "d"],
      ],
      " ",
    ),
    ` a   b\n ${red}  c  d`,
  );
});

test("text of others stays on one line and moves no cursor", () => {
  assert.equal(oneLine("a\nb\u001B[2Jc\u0007"), "a bc ");
});

test("keys and values keep their control characters, written so that they do nothing", () => {
  assert.equal(
    escaped("a\nb\u001B[2J\u007F\u009B\u202E\u2028c"),
    "a\\nb\\u001b[2J\\u007f\\u009b\\u202e\\u2028c",
  );
  const value = { text: "a\u009Bb\nc\u202E" };
  assert.equal(shortJson(value), '{"text":"a\\u009bb\\nc\\u202e"}');
  assert.deepEqual(JSON.parse(shortJson(value)), value);
  assert.equal(prettyJson(value), '{\n  "text": "a\\u009bb\\nc\\u202e"\n}');
});

test("services are shown by layer, then by name", () => {
  const row = { version: "1.0.0", summary: "Does it.", state: "running", from: "", operations: 1 };
  const table = serviceTable(
    [
      { ...row, name: "b", layer: "L4 game-features", because: "" },
      {
        ...row,
        name: "a",
        layer: "L4 game-features",
        because: "BANYAN_A_ENABLED=false",
        state: "disabled",
        version: "",
      },
      { ...row, name: "node", layer: "L0 infrastructure", because: "" },
    ],
    terminal({ noColor: true }),
  );
  assert.equal(
    table,
    [
      "LAYER              SERVICE  VERSION  STATE     SUMMARY",
      "L0 infrastructure  node     1.0.0    running   Does it.",
      "L4 game-features   a        -        disabled  BANYAN_A_ENABLED=false",
      "L4 game-features   b        1.0.0    running   Does it.",
    ].join("\n"),
  );
});

test("a line is as wide as the terminal, and in a pipe always the same", () => {
  const columnsOf = (stream: object): number =>
    // A stream in shape: only these fields are read.
    terminal({ stdout: stream as unknown as NodeJS.WriteStream }).columns;
  assert.equal(columnsOf({ isTTY: true, columns: 140 }), 140);
  assert.equal(columnsOf({ isTTY: true, columns: 0 }), 100);
  assert.equal(columnsOf({ columns: 140 }), 100);
});

test("colours: --no-color beats FORCE_COLOR, FORCE_COLOR beats NO_COLOR, a pipe has none", () => {
  const paints = (options: Partial<TerminalOptions>): boolean =>
    terminal(options).style("bad", "x") !== "x";
  // A tty in shape: only these fields are read.
  const tty = { isTTY: true, write: () => true } as unknown as NodeJS.WriteStream;
  const pipe = { write: () => true } as unknown as NodeJS.WriteStream;
  assert.equal(paints({ stdout: tty }), true);
  assert.equal(paints({ stdout: pipe }), false);
  assert.equal(paints({ stdout: tty, env: { NO_COLOR: "1" } }), false);
  assert.equal(paints({ stdout: pipe, env: { NO_COLOR: "1", FORCE_COLOR: "1" } }), true);
  assert.equal(paints({ stdout: tty, noColor: true, env: { FORCE_COLOR: "1" } }), false);
  assert.equal(paints({ stdout: tty, json: true }), false);
  assert.equal(paints({ stdout: tty, env: { TERM: "dumb" } }), false);
});
