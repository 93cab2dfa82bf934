import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import {
  BanyanError,
  crossingError,
  isBanyanError,
  parseWireError,
  toBanyanError,
} from "./banyan-error.ts";
import type { ErrorKind } from "./kinds.ts";
import { errorKinds } from "./kinds.ts";

// The keys of the table are the kinds.
const kinds = Object.keys(errorKinds) as ErrorKind[];

const anError = fc
  .record({
    kind: fc.constantFrom(...kinds),
    code: fc.stringMatching(/^[A-Z][A-Z_]{0,10}$/),
    message: fc.string(),
    http: fc.option(fc.integer({ min: 400, max: 599 }), { nil: undefined }),
    details: fc.option(fc.dictionary(fc.string(), fc.jsonValue()), { nil: undefined }),
    retryable: fc.option(fc.boolean(), { nil: undefined }),
    retryAfterMs: fc.option(fc.nat(), { nil: undefined }),
    cause: fc.constant(new Error("secret of the house")),
  })
  .map((init) => new BanyanError(init));

test("an error crosses a wire, and a call, with everything but its cause", () => {
  fc.assert(
    fc.property(anError, (error) => {
      const text = JSON.stringify(error);
      assert.doesNotMatch(text, /secret of the house|stack/);
      const wired = parseWireError(JSON.parse(text));
      for (const copy of [wired, crossingError(error)]) {
        assert(isBanyanError(copy));
        assert.equal(JSON.stringify(copy), text);
        assert.equal(copy.http, error.http);
        assert.equal(copy.cause, undefined);
      }
    }),
    { seed: seedOf() },
  );
});

test("anything that is no wire error gives nothing, and never throws", () => {
  const near = fc.record(
    {
      kind: fc.oneof(fc.constantFrom(...kinds), fc.anything()),
      code: fc.oneof(fc.string(), fc.anything()),
      message: fc.oneof(fc.string(), fc.anything()),
      details: fc.anything(),
      http: fc.anything(),
      retryable: fc.anything(),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(fc.anything(), near), (value) => {
      const error = parseWireError(value);
      if (error !== undefined) assert.ok(Number.isFinite(error.http) && error.kind in errorKinds);
    }),
    { seed: seedOf(), numRuns: 500 },
  );
  assert.equal(parseWireError({ kind: "toString", code: "A", message: "" }), undefined);
});

test("what is thrown becomes one error that gives nothing away", () => {
  const known = new BanyanError({ kind: "aborted", code: "X", message: "No." });
  assert.equal(toBanyanError(known), known);
  const cancelled = toBanyanError(new DOMException("secret", "AbortError"));
  assert.deepEqual([cancelled.kind, cancelled.code], ["cancelled", "CALL_CANCELLED"]);
  for (const thrown of [new Error("secret"), "secret", undefined, null, 0, { message: "secret" }]) {
    const error = toBanyanError(thrown);
    assert.deepEqual([error.kind, error.code, error.cause], ["internal", "INTERNAL", thrown]);
    assert.doesNotMatch(JSON.stringify(error), /secret/);
  }
});

test("a status that is none of an error gives way to the kind's", () => {
  for (const http of [200, 99, 1000, 404.5, Number.NaN]) {
    assert.equal(new BanyanError({ kind: "not_found", code: "X", message: "", http }).http, 404);
  }
});

test("an error of another copy whose kind is not known here is internal", () => {
  const foreign = Object.defineProperty(new Error("x"), Symbol.for("@banyan/error"), {
    value: true,
  });
  const error = toBanyanError(Object.assign(foreign, { code: "X", kind: "tired" }));
  assert.deepEqual([error.kind, error.code], ["internal", "INTERNAL"]);
});

test("an error of another copy of the package is recognised by its brand", () => {
  const foreign = Object.defineProperty(new Error("x"), Symbol.for("@banyan/error"), {
    value: true,
  });
  assert.equal(isBanyanError(Object.assign(foreign, { code: "X" }), "X"), true);
  assert.equal(isBanyanError(foreign, "Y"), false);
  assert.equal(isBanyanError(new Error("x")), false);
  assert.equal(isBanyanError(null), false);
});
