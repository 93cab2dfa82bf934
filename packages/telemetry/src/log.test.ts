import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { formatPretty } from "./log-format.ts";
import type { PrettyOptions } from "./log-format.ts";
import { createLog, isLogLevel } from "./log.ts";
import type { LogOptions } from "./log.ts";

function logInto(lines: string[], options: Partial<LogOptions> = {}) {
  return createLog({ write: (line) => lines.push(line), clock: new FakeClock(), ...options });
}

test("a line is JSON with its time, level, message and fields", () => {
  const lines: string[] = [];
  logInto(lines, { fields: { node: "a1" } }).info('is "up"', { port: 0, host: undefined });
  logInto(lines).warn("bare");
  assert.deepEqual(lines, [
    '{"time":"2025-01-01T00:00:00.000Z","level":"info","message":"is \\"up\\"","node":"a1","port":0}',
    '{"time":"2025-01-01T00:00:00.000Z","level":"warn","message":"bare"}',
  ]);
});

test("only lines of the level and above are written, and the rest is not even looked at", () => {
  for (const [level, count] of [
    ["debug", 4],
    ["info", 3],
    ["warn", 2],
    ["error", 1],
    ["silent", 0],
  ] as const) {
    const lines: string[] = [];
    const log = logInto(lines, { level });
    for (const write of ["debug", "info", "warn", "error"] as const) log[write](write);
    assert.equal(lines.length, count);
  }
  const unread = {
    get field(): never {
      return assert.fail("a silent level read its fields");
    },
  };
  logInto([], { level: "error" }).warn("silent", unread);
});

test("the level can be changed while in use, for children made before too", () => {
  const lines: string[] = [];
  const log = logInto(lines);
  const child = log.child({ part: "store" });
  child.debug("unseen");
  log.level = "debug";
  assert.equal(child.level, "debug");
  child.debug("seen");
  assert.equal(lines.length, 1);
});

test("a child's fields come before the line's own, and the nearest wins", () => {
  const lines: string[] = [];
  const log = logInto(lines).child({ service: "a", part: 1 }).child({ part: 2 });
  log.info("x", { step: 3 });
  log.error("y", { part: 4 });
  assert.match(lines[0] ?? "", /"service":"a","part":2,"step":3\}$/);
  assert.match(lines[1] ?? "", /"service":"a","part":4\}$/);
});

test("a field cannot take the place of the line's own names", () => {
  const lines: string[] = [];
  logInto(lines).info("true", { message: "false", level: 9, time: 0 });
  assert.deepEqual(JSON.parse(lines[0] ?? ""), {
    time: "2025-01-01T00:00:00.000Z",
    level: "info",
    message: "true",
    _message: "false",
    _level: 9,
    _time: 0,
  });
});

test("one call writes one line, whatever its text holds", () => {
  const lines: string[] = [];
  logInto(lines).info("two\nlines", { text: "a\r\nb\u2028c", error: new Error("x\ny") });
  assert.doesNotMatch(lines[0] ?? "", /[\r\n]/);
});

test("the form for people shows time, level, message and fields in words", () => {
  const record = {
    timeMs: Date.UTC(2025, 0, 1, 12, 30, 1, 7),
    level: "info",
    message: "up",
  } as const;
  assert.equal(formatPretty({ ...record, fields: undefined }), "12:30:01.007 info  up");
  const fields = { port: 7600, host: "127.0.0.1", name: "a b", list: [1], none: null, token: "x" };
  assert.equal(
    formatPretty({ ...record, fields }),
    '12:30:01.007 info  up  port=7600 host=127.0.0.1 name="a b" list=[1] none=null token=[secret]',
  );
});

test("the form for people puts stacks below the line and cannot steer a terminal", () => {
  const error = new Error("outer\u001b[2J", { cause: new Error("inner\u0007\nnext") });
  const record = {
    timeMs: 0,
    level: "error",
    message: "a\u001b[31m\nb",
    fields: { error },
  } as const;
  const text = formatPretty(record);
  const [head = "", ...frames] = text.split("\n");
  assert.equal(head, "00:00:00.000 error a\\u001b[31m\\u000ab  error=Error: outer\\u001b[2J");
  assert.ok(frames.length > 2 && frames.every((frame) => frame.startsWith("    ")));
  assert.ok(frames.includes("    caused by Error: inner\\u0007\\u000anext"));
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f]/);
});

test("the form for people is coloured only when a painter is given", () => {
  const paint: PrettyOptions["paint"] = (style, text) => `<${style}>${text}</>`;
  const record = { timeMs: 0, level: "warn", message: "hot", fields: { c: 90 } } as const;
  assert.equal(
    formatPretty(record, { paint }),
    "<time>00:00:00.000</> <warn>warn </> hot  <key>c=</>90",
  );
});

test("level names are told from other texts", () => {
  assert.ok(isLogLevel("silent"));
  for (const no of ["loud", "toString", 3, undefined]) assert.equal(isLogLevel(no), false);
});

test("a service has a level of its own, also where its logs were made before", () => {
  const lines: string[] = [];
  const log = createLog({
    write: (line) => void lines.push(line),
    level: "warn",
    serviceLevels: { loud: "debug" },
  });
  const loud = log.child({ service: "loud" }).child({ store: "notes" });
  const quiet = log.child({ service: "quiet" });
  loud.debug("one");
  quiet.debug("not written");
  log.setServiceLevel("quiet", "debug");
  quiet.debug("two");
  log.level = "silent";
  loud.info("three");
  quiet.info("four");
  log.error("not written");
  log.setServiceLevel("quiet", undefined);
  quiet.error("not written");
  log.level = "info";
  quiet.info("five");
  const messages = lines.map((line) => (JSON.parse(line) as { message: string }).message);
  assert.deepEqual(messages, ["one", "two", "three", "four", "five"]);
  assert.deepEqual([...log.serviceLevels], [["loud", "debug"]]);
  assert.deepEqual(log.counts, { debug: 2, info: 3, warn: 0, error: 0 });
});

test("a line has what is around it where it does not say so itself", () => {
  const lines: unknown[] = [];
  let asked = 0;
  const log = createLog({
    write: (line) => void lines.push(JSON.parse(line)),
    ambient: () => {
      asked += 1;
      return { operation: "shop.buy", traceId: "a" };
    },
  });
  log.info("plain");
  log.child({ traceId: "b" }).info("own");
  log.debug("not written, so nobody asks");
  log.info("says more", { operation: "mine" });
  assert.partialDeepStrictEqual(lines, [
    { message: "plain", operation: "shop.buy", traceId: "a" },
    { message: "own", traceId: "b" },
    { message: "says more", operation: "mine", traceId: "a" },
  ]);
  assert.equal(asked, 2);
});
