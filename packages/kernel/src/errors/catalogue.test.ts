import assert from "node:assert/strict";
import { test } from "node:test";
import { defineErrors } from "./catalogue.ts";
import { errorKinds, isErrorKind } from "./kinds.ts";

test("a table becomes constructors that know kind, status and advice", () => {
  const errors = defineErrors({
    DESK_CLOSED: { kind: "failed_precondition", summary: "The desk is closed." },
    DESK_FULL: { kind: "unavailable", summary: "Full.", http: 507, retryable: false },
  });
  const closed = errors.DESK_CLOSED("Closed until 9.", { details: { until: 9 }, cause: "x" });
  assert.deepEqual(closed.toJSON(), {
    kind: "failed_precondition",
    code: "DESK_CLOSED",
    message: "Closed until 9.",
    details: { until: 9 },
    retryable: false,
  });
  assert.deepEqual([closed.http, closed.cause], [412, "x"]);
  const full = errors.DESK_FULL("Full.");
  assert.deepEqual([full.http, full.retryable], [507, false]);
  assert.equal(errors.DESK_FULL("Full.", { retryable: true }).retryable, true);
  assert.equal(errors.DESK_FULL.spec.summary, "Full.");
});

test("a code that is not UPPER_SNAKE is refused", () => {
  for (const code of ["deskClosed", "DESK-CLOSED", "_DESK", "DESK__X", ""]) {
    assert.throws(() => defineErrors({ [code]: { kind: "aborted", summary: "" } }), /UPPER_SNAKE/);
  }
});

test("every kind has its name on every wire, and each gRPC number is used once", () => {
  const rows = Object.values(errorKinds);
  assert.equal(rows.length, 16);
  assert.deepEqual(
    rows.map(({ grpc }) => grpc),
    Array.from({ length: 16 }, (_, index) => index + 1),
  );
  assert.ok(rows.every(({ http, exit }) => http >= 400 && http < 600 && exit >= 1 && exit <= 130));
  assert.equal(isErrorKind("internal"), true);
  for (const other of ["constructor", "INTERNAL", 13, null])
    assert.equal(isErrorKind(other), false);
});
