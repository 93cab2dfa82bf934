import assert from "node:assert/strict";
import { test } from "node:test";
import { BanyanError } from "@banyan/kernel";
import { describeFailure } from "./failure.ts";

test("a failure says where it was thrown, and so do its causes, a place a line", () => {
  const cause = new TypeError("no till");
  const error = new BanyanError({ kind: "internal", code: "SHOP", message: "No sale.", cause });
  const { stack = "" } = describeFailure(error);
  const lines = stack.split("\n");
  assert.match(lines[0] ?? "", /^at .*failure\.test/);
  assert(lines.includes("caused by TypeError: no till"));
  assert(lines.every((line) => /^(?:at|caused by) /.test(line)));
});

test("a stack ends somewhere, also one whose causes go round", () => {
  const error = new Error("first");
  error.cause = error;
  const { stack = "" } = describeFailure(error);
  assert(stack.length > 0 && stack.length <= 2000);
});

test("what has no stack, or one that cannot be read, is described without", () => {
  const odd = new Error("odd");
  Object.defineProperty(odd, "stack", {
    get() {
      throw new Error("not for you");
    },
  });
  for (const thrown of ["text", 7, undefined, { stack: "at home" }, odd]) {
    assert.equal(describeFailure(thrown).stack, undefined);
  }
});
