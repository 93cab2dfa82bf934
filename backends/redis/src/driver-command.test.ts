import assert from "node:assert/strict";
import { test } from "node:test";
import { DriverCommand } from "./driver-command.ts";

test("a command longer than any text is written in parts, and whole", () => {
  const value = "é".repeat(500_000);
  const args = Array.from({ length: 1200 }, () => value); // 600 million characters
  const command = new DriverCommand({ name: "mset", args, writes: true }, () => undefined);
  let written = 0;
  let longest = 0;
  const write = (part: string): void => {
    written += part.length;
    longest = Math.max(longest, part.length);
  };
  write(command.toWritable({ write }));
  const head = "*1201\r\n$4\r\nmset\r\n".length;
  const each = "$1000000\r\n\r\n".length + value.length;
  assert.equal(written, head + args.length * each);
  assert.ok(longest < 2 << 20, `a part of ${longest} characters`);
});
