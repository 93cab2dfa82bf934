import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { formatTraceparent, parseTraceparent, parseTracestate } from "./trace-context.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const spanId = "b7ad6b7169203331";

test("the headers of a sampled parent are read", () => {
  assert.deepEqual(parseTraceparent(`00-${traceId}-${spanId}-01`, "vendor=a,other=b"), {
    traceId,
    spanId,
    sampled: true,
    random: false,
    state: "vendor=a,other=b",
  });
  assert.deepEqual(parseTraceparent(` 00-${traceId}-${spanId}-02 `), {
    traceId,
    spanId,
    sampled: false,
    random: true,
  });
});

test("a later version is read as far as we know it, with or without more parts", () => {
  for (const rest of ["", "-", "-more-parts"]) {
    const read = parseTraceparent(`cc-${traceId}-${spanId}-09${rest}`);
    assert.deepEqual([read?.traceId, read?.sampled], [traceId, true]);
  }
});

test("a header that breaks the rules starts a new trace", () => {
  for (const bad of [
    undefined,
    "",
    `00-${traceId}-${spanId}-01-more`,
    `00-${traceId}-${spanId}-1`,
    `00-${traceId}-${spanId}`,
    `ff-${traceId}-${spanId}-01`,
    `00-${"0".repeat(32)}-${spanId}-01`,
    `00-${traceId}-${"0".repeat(16)}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}-${spanId}-0x`,
    `cc-${traceId}-${spanId}-01.more`,
    `00_${traceId}-${spanId}-01`,
    `cc-${traceId}-${spanId}-01-${"x".repeat(600)}`,
  ]) {
    assert.equal(parseTraceparent(bad), undefined, bad);
  }
});

const hex = (length: number) =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)).filter((text) => /[1-9a-f]/.test(text));

test("what is written is read back", () => {
  const trace = fc.record(
    {
      traceId: hex(32),
      spanId: hex(16),
      sampled: fc.boolean(),
      random: fc.boolean(),
    },
    { noNullPrototype: true },
  );
  const property = fc.property(trace, (given) => {
    assert.deepEqual(parseTraceparent(formatTraceparent(given)), given);
  });
  fc.assert(property, { seed: seedOf() });
});

test("no text makes the reader throw, and what it reads is valid", () => {
  const near = fc
    .tuple(fc.string({ maxLength: 3 }), hex(32), hex(16), fc.string({ maxLength: 4 }))
    .map((parts) => parts.join("-"));
  const property = fc.property(fc.oneof(near, fc.string()), fc.string(), (header, state) => {
    const read = parseTraceparent(header, state);
    if (read === undefined) return;
    assert.match(formatTraceparent(read), /^00-[0-9a-f]{32}-[0-9a-f]{16}-0[0-3]$/);
  });
  fc.assert(property, { seed: seedOf(), numRuns: 500 });
});

const member = fc
  .tuple(
    fc.stringMatching(/^[a-z0-9][a-z0-9_\-*/@]{0,20}$/),
    fc.stringMatching(/^[\x21-\x2b\x2d-\x3c\x3e-\x7e]{1,160}$/, { size: "max" }),
  )
  .map(([key, value]) => `${key}=${value}`);

test("a valid state passes as it came when it is short, and loses whole members when long", () => {
  const members = fc.uniqueArray(member, {
    minLength: 1,
    maxLength: 32,
    size: "max",
    selector: (each) => each.slice(0, each.indexOf("=")),
  });
  const property = fc.property(members, (given) => {
    const text = given.join(", ");
    const passed = parseTracestate(text);
    if (text.length <= 512) assert.equal(passed, text);
    else {
      const kept = passed?.split(",") ?? [];
      assert.ok((passed ?? "").length <= 512);
      assert.deepEqual(
        kept,
        given.filter((each) => kept.includes(each)),
      );
      const short = given.filter((each) => each.length <= 128);
      assert.deepEqual(
        kept.filter((each) => each.length <= 128),
        short.slice(0, kept.filter((each) => each.length <= 128).length),
      );
    }
  });
  fc.assert(property, { seed: seedOf() });
});

test("a long state loses its long members first, then those at its end", () => {
  const long = `long=${"x".repeat(200)}`;
  const short = Array.from({ length: 25 }, (_, index) => `k${index}=${"y".repeat(20)}`);
  const few = short.slice(0, 15);
  assert.equal(parseTracestate([long, ...few].join(",")), few.join(","));
  const kept = parseTracestate([...short, long].join(",")) ?? "";
  assert.ok(kept.length <= 512 && kept.length > 480);
  assert.ok(short.join(",").startsWith(`${kept},`));
});

test("a state that breaks the rules is dropped whole, its parent is kept", () => {
  const many = Array.from({ length: 33 }, (_, index) => `k${index}=v`).join(",");
  for (const bad of [
    "",
    " , ",
    "a",
    "=b",
    "a=",
    "A=b",
    "a=b,a=c",
    "a=b\u0000",
    "a=é",
    "a=b=c",
    many,
  ]) {
    assert.equal(parseTracestate(bad), undefined, bad);
  }
  assert.equal(parseTracestate(undefined), undefined);
  assert.equal(parseTracestate("x".repeat(20_000)), undefined);
  const read = parseTraceparent(`00-${traceId}-${spanId}-01`, "a=b,a=c");
  assert.equal(read?.traceId, traceId);
  assert.equal(read?.state, undefined);
  assert.equal(parseTracestate("a=b,, c@d=e f\t"), "a=b,, c@d=e f\t");
});
