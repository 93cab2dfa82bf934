/** Traces as they are drawn. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { at, draw, failure, span, spanLines, trace } from "./sample-spans.test.ts";
import type { TraceSpan } from "./trace-answer.ts";

const http = {
  "http.request.method": "POST",
  "http.route": "/shop/buy",
  "http.response.status_code": 200,
};
const db = { "db.system.name": "sqlite" };

/** A purchase with a call, a store, an event handled by another service, and a pause. */
function purchase(): TraceSpan[] {
  return [
    span("buy", { kind: "server", durationMs: 500, attributes: http }),
    span("p", { parentSpanId: "buy", startMs: 10, durationMs: 40, name: "price.get", ...price }),
    span("g", { parentSpanId: "p", startMs: 20, durationMs: 20, name: "get price.list", ...store }),
    span("s", {
      parentSpanId: "buy",
      startMs: 462,
      durationMs: 38,
      name: "transaction shop",
      kind: "client",
      attributes: db,
      site: at(31),
    }),
    span("m", {
      parentSpanId: "buy",
      startMs: 500,
      durationMs: 0.4,
      service: "mail",
      kind: "consumer",
      name: "mail.onSold",
      attributes: { "messaging.destination.name": "shop.sold" },
    }),
  ];
}
const price = { service: "price", site: at(20) };
const store = { service: "price", kind: "client", attributes: db, site: at(7, "/app/src/list.ts") };

describe("A trace is drawn", () => {
  test("with its facts, a line for each span, and the gap that a slow line of code leaves", () => {
    assert.deepEqual(draw(trace(...purchase())), [
      "4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e4e  shop.buy  POST /shop/buy 200",
      "12:00:01.234 (12 s ago) · 500 ms · 5 spans · 3 services · sampled",
      "",
      "0                  500 ms     TOOK  SPAN                CALLED AT",
      "█████████████████████████   500 ms  shop.buy",
      "▐█▌                        40.0 ms  ├ price.get         src/price.ts:20",
      " █                         20.0 ms  │ └ get price.list  src/list.ts:7",
      "                       ██  38.0 ms  ├ transaction shop  src/price.ts:31",
      "                        ▐   400 µs  └ mail.onSold  on shop.sold",
      "",
      "412 ms without any span, between src/price.ts:20 and src/price.ts:31",
    ]);
  });

  test("to the width of the terminal: places are shortened, then bars go", () => {
    const far = purchase().map((each) =>
      each.site === undefined
        ? each
        : { ...each, site: at(20, "/app/services/price/src/price.ts") },
    );
    const second = (columns: number): string | undefined =>
      spanLines(trace(...far), { columns })[1];
    const wide = "▐██▌                                 40.0 ms  ├ price.get         ";
    assert.equal(second(140), `${wide}services/price/src/price.ts:20`);
    assert.equal(
      second(72),
      "▐█                  40.0 ms  ├ price.get         …/price/src/price.ts:20",
    );
    assert.equal(second(64), "▐▌                40.0 ms  ├ price.get         …/src/price.ts:20");
    assert.equal(second(50), "█             40.0 ms  ├ price.get    price.ts:20");
    assert.equal(second(36), "40.0 ms  ├ price.get    price.ts:20");
  });

  test("with folds for what was done over and over, and without them where all is asked", () => {
    const gets = Array.from({ length: 100 }, (_, n) =>
      span(`g${n}`, {
        parentSpanId: "a",
        startMs: 10 + 8 * n,
        durationMs: n === 50 ? 4 : 1,
        name: "get shop.items",
        kind: "client",
        attributes: db,
      }),
    );
    const shown = trace(span("a", { durationMs: 1000 }), ...gets);
    assert.deepEqual(spanLines(shown), [
      "█████████████████████████  1.00 s  shop.a",
      "▐███████████████████▌      793 ms  └ get shop.items  ×100  total 103 ms, max 4.00 ms",
    ]);
    assert.equal(spanLines(shown, { all: true }).length, 101);
  });

  test("with what failed: the code, and which failure was the first", () => {
    const shown = trace(
      span("buy", { durationMs: 20, error: failure("INTERNAL") }),
      span("take", { parentSpanId: "buy", startMs: 2, error: failure("GONE", false), site: at(3) }),
    );
    const lines = draw(shown);
    assert.match(lines[4] ?? "", /shop\.buy {2}INTERNAL$/);
    assert.match(lines[5] ?? "", /└ shop\.take {2}GONE {2}src\/price\.ts:3$/);
    assert.equal(lines[7], "GONE is the first failure, of shop.take, called at src/price.ts:3");
    const verbose = draw(shown, { verbose: true }).join("\n");
    assert.match(verbose, /GONE \(internal\): Because of GONE\.\n +src\/price\.ts:3:7 in price\n/);
  });

  test("with colours by meaning, which take no room", () => {
    const styles: string[] = [];
    const failed = span("f", { parentSpanId: "buy", error: failure("GONE") });
    const shown = trace(...purchase(), failed);
    const painted = draw(shown, {
      paint: (style, text) => {
        styles.push(`${style} ${text.trim()}`);
        return `\u001B[31m${text}\u001B[39m`;
      },
    });
    assert.ok(styles.includes("bad GONE"), styles.join("|"));
    const plain = painted.map((line) => line.replaceAll(/\u001B\[\d+m/g, "").trimEnd());
    assert.deepEqual(plain, draw(shown));
  });

  test("with why it was kept, what is missing, and where it came from", () => {
    const part = span("a", { parentSpanId: "beyond", dropped: 7 });
    const lines = draw({ ...trace(part), kept: "slow" });
    assert.match(lines[1] ?? "", / · 1 span · kept because it was slow · called from elsewhere$/);
    assert.equal(lines[2], "7 more spans had no room (telemetry.traces.spansMax)");
  });

  test("with words for what no name tells: attempts, kinds, the service of a piece of work", () => {
    const told = { "messaging.destination.name": "shop.sold", "banyan.delivery.attempt": 3 };
    const shown = trace(
      span("a", { name: "tick" }),
      span("b", { parentSpanId: "a", kind: "server" }),
      span("c", { parentSpanId: "a", name: "think", service: "mind" }),
      span("d", { parentSpanId: "a", kind: "consumer", attributes: told }),
      span("e", { parentSpanId: "a", kind: "client", name: "far.call", service: "far" }),
    );
    const names = spanLines(shown).map((line) => line.slice(36));
    assert.deepEqual(names, [
      "shop: tick",
      "├ shop.b  server",
      "├ mind: think",
      "├ shop.d  on shop.sold  attempt 3",
      "└ far.call  client",
    ]);
  });

  test("with what the node does for itself set apart: no line of a service asked for it", () => {
    const own = { ...db, "db.namespace": "node" };
    const asked = { parentSpanId: "a", startMs: 90, name: "set node.idempotency", kind: "client" };
    const shown = trace(
      span("a", { durationMs: 100 }),
      span("b", { ...asked, attributes: own, site: at(5) }),
    );
    assert.match(spanLines(shown)[1] ?? "", /└ set node\.idempotency$/);
    assert.equal(
      draw(shown).at(-1),
      "90.0 ms without any span, at its start, before set node.idempotency",
    );
  });
});

describe("What stands below the spans", () => {
  test("names two of one line, and the span in which it is", () => {
    const twice = [20, 60].map((startMs) =>
      span(`g${startMs}`, { parentSpanId: "b", startMs, durationMs: 1, site: at(9) }),
    );
    const shown = trace(
      span("a", { durationMs: 100 }),
      span("b", { parentSpanId: "a", startMs: 10, durationMs: 80, site: at(2) }),
      ...twice,
    );
    assert.deepEqual(draw(shown).slice(-2), [
      "39.0 ms without any span in shop.b, between two of src/price.ts:9",
      "10.0 ms without any span, at its start, before src/price.ts:2",
    ]);
  });

  test("is advice where a call that took long has nothing below it", () => {
    assert.match(
      draw(trace(span("a", { durationMs: 412 }))).at(-1) ?? "",
      /^412 ms .*span\(name, work\)/,
    );
    assert.equal(draw(trace(span("a", { durationMs: 3 }))).length, 5);
  });
});
