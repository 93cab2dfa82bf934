/** What must hold of a waterfall however strange its spans are. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { at, draw, failure, span, spanLines, trace } from "./sample-spans.test.ts";
import { widthOf } from "./text-table.ts";

describe("However strange a trace is", () => {
  test("a child that is longer than its parent, or began before it, stands where it was", () => {
    const shown = trace(
      span("a", { startMs: 40, durationMs: 20 }),
      span("b", { parentSpanId: "a", startMs: 0, durationMs: 100 }),
    );
    const [parent = "", child = ""] = spanLines(shown, { columns: 80 });
    assert.deepEqual(
      [parent.slice(0, 20), child.slice(0, 20)],
      ["        ████        ", "█".repeat(20)],
    );
  });

  test("no time at all, no span at all, and a time without end are drawn", () => {
    const zero = trace(
      span("a", { durationMs: 0 }),
      span("b", { parentSpanId: "a", durationMs: 0 }),
    );
    assert.match(spanLines(zero)[0] ?? "", /^▌ {24} {2}0 ms {2}shop\.a$/);
    assert.equal(draw(trace()).length, 4);
    assert.match(draw(trace(span("a", { durationMs: 1e300 })))[4] ?? "", /^█/);
  });

  test("names that would move the cursor are visible, and long ones are cut", () => {
    const odd = span("a", { name: "a\u001B[2J\nb\u202E", error: failure("X\u0007") });
    const [line = ""] = spanLines(trace(odd));
    assert.ok(line.endsWith("shop: a\\u001b[2J\\nb\\u202e  X\\u0007"), line);
    const [long = ""] = spanLines(trace(span("a", { name: "n".repeat(5000), site: at(1) })));
    assert.equal(widthOf(long), 100);
    const lines = draw(trace(odd), { verbose: true });
    assert.doesNotMatch(lines.join(""), /[\p{Cc}\u202e]/u);
  });

  test("a thousand spans, side by side or one below the other, are drawn", () => {
    const many = Array.from({ length: 1000 }, (_, n) =>
      span(`s${n}`, { parentSpanId: n === 0 ? undefined : "s0", startMs: n / 100 }),
    );
    assert.equal(spanLines(trace(...many)).length, 1000);
    const deep = many.map((each, n) =>
      n === 0 ? each : { ...each, parentSpanId: `s${n - 1}`, site: at(n) },
    );
    const lines = spanLines(trace(...deep), { columns: 80 });
    assert.equal(lines.length, 1000);
    assert.ok(lines.every((line) => widthOf(line) <= 80));
    assert.match(lines[999] ?? "", /…[ ]+└ shop\.s999/);
  });

  test("no line of a span is wider than the terminal, and every span is counted once", () => {
    const spans = fc.array(
      fc.record({
        parent: fc.nat(20),
        startMs: fc.double({ min: -1e4, max: 1e6, noNaN: true }),
        durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
        name: fc.string({ unit: "binary", maxLength: 60 }),
        kind: fc.constantFrom("internal", "server", "client", "producer", "consumer"),
        code: fc.option(fc.string({ maxLength: 40 }), { nil: undefined }),
        file: fc.option(fc.string({ maxLength: 80 }), { nil: undefined }),
      }),
      { maxLength: 40 },
    );
    const law = fc.property(spans, fc.integer({ min: 40, max: 240 }), (rows, columns) => {
      const shown = trace(
        ...rows.map(({ parent, code, file, ...fields }, n) =>
          span(`s${n}`, {
            ...fields,
            parentSpanId: `s${parent}`,
            error: code === undefined ? undefined : failure(code),
            site: file === undefined ? undefined : at(n, `/app/${file}`),
          }),
        ),
      );
      const lines = spanLines(shown, { columns, all: true });
      assert.equal(lines.length, rows.length);
      for (const line of lines) assert.ok(widthOf(line) <= columns, line);
    });
    fc.assert(law, { numRuns: 300 });
  });
});
