import assert from "node:assert/strict";
import { test } from "node:test";
import { z } from "zod";
import { isBanyanError } from "../errors/banyan-error.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import { t } from "../schema/t.ts";
import { Codec } from "./codec.ts";

const options = { what: "The request of desk.echo", refuse: kernelErrors.REQUEST_INVALID };

function refusalOf(run: () => unknown): { message: string; issues: unknown } {
  try {
    run();
  } catch (error) {
    assert(isBanyanError(error, "REQUEST_INVALID"));
    return { message: error.message, issues: error.details?.["issues"] };
  }
  throw new assert.AssertionError({ message: "it was not refused" });
}

test("a refusal says what is wrong where, and how much more there is", () => {
  const codec = new Codec(t.Object({ a: t.Integer(), b: t.String() }), options);
  const { message, issues } = refusalOf(() => codec.parse({ a: "x", b: 7 }, "strict"));
  assert.match(message, /^The request of desk\.echo is not valid: .+ \(and 1 more\)$/);
  assert(Array.isArray(issues));
  assert.deepEqual(
    issues.map((issue: { pointer: string }) => issue.pointer),
    ["/a", "/b"],
  );
});

test("a trusted value is copied; one of the wrong shape is refused with its place", () => {
  const codec = new Codec(t.Object({ a: t.Array(t.Integer({ minimum: 5 })) }), options);
  const value = { a: [1] };
  const copy = codec.parse(value, "trusted");
  assert.deepEqual(copy, value);
  assert.notEqual(copy, value);
  const { issues } = refusalOf(() => codec.parse("x", "trusted"));
  assert(Array.isArray(issues));
});

test("another library's schema transforms and refines in every mode", () => {
  const schema = z.object({ n: z.number().refine((n) => n !== 13, "unlucky") });
  const codec = new Codec(schema, options);
  for (const mode of ["strict", "tolerant", "trusted"] as const) {
    assert.deepEqual(codec.parse({ n: 1 }, mode), { n: 1 });
    assert.match(refusalOf(() => codec.parse({ n: 13 }, mode)).message, /unlucky/);
  }
});
