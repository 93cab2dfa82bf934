import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { t } from "@banyan/kernel";
import { toJsonSchema } from "@banyan/kernel/internal";
import { fieldRows, requestFromPairs } from "./schema-fields.ts";
import { recordOf } from "./node-answers.ts";
import { TTL_MS_MAX } from "@banyan/state";
import { delayTimeMax, parseDuration, ttlTimeMax } from "./duration.ts";
import { quoted } from "./try-it.ts";

const schema = recordOf(
  toJsonSchema(
    t.Object({
      name: t.String({ minLength: 1, description: "Who." }),
      count: t.Optional(t.Integer({ default: 3 })),
      ratio: t.Optional(t.Number()),
      loud: t.Optional(t.Boolean()),
      tags: t.Optional(t.Array(t.String())),
      at: t.Optional(t.Object({ x: t.Integer(), y: t.Integer() })),
      mode: t.Optional(t.Enum(["fast", "slow"])),
    }),
    "input",
  ),
);

describe("requests from key=value", () => {
  test("each value gets the type of its field", () => {
    const pairs = ["name=7", "count=7", "ratio=1.5", "loud=yes", "tags=a,b", "mode=fast"];
    assert.deepEqual(requestFromPairs(pairs, schema), {
      name: "7",
      count: 7,
      ratio: 1.5,
      loud: true,
      tags: ["a", "b"],
      mode: "fast",
    });
  });

  test("nested fields are written with dots, or as JSON", () => {
    assert.deepEqual(requestFromPairs(["at.x=1", "at.y=2"], schema), { at: { x: 1, y: 2 } });
    assert.deepEqual(requestFromPairs(['at={"x":1,"y":2}'], schema), { at: { x: 1, y: 2 } });
  });

  test("a value may be empty and may hold an equals sign", () => {
    assert.deepEqual(requestFromPairs(["name="], schema), { name: "" });
    assert.deepEqual(requestFromPairs(["name=a=b"], schema), { name: "a=b" });
  });

  test("what does not fit, and what is not known, is refused before it is sent", () => {
    assert.throws(
      () => requestFromPairs(["count=many"], schema),
      /count=many does not fit: expected an integer/,
    );
    assert.throws(() => requestFromPairs(["mode=fats"], schema), /expected one of "fast", "slow"/);
    assert.throws(() => requestFromPairs(["nme=x"], schema), {
      details: { where: "nme", fix: "Did you mean name?" },
    });
    assert.throws(() => requestFromPairs(["Ada"], schema), /neither JSON nor key=value/);
  });

  test("without a schema a value that reads as JSON is taken for that", () => {
    assert.deepEqual(requestFromPairs(["a=1", "b=x", "c=true"], undefined), {
      a: 1,
      b: "x",
      c: true,
    });
  });

  test("a field named __proto__ stays a field", () => {
    const request = requestFromPairs(["__proto__.polluted=1"], undefined);
    assert.equal(JSON.stringify(request), '{"__proto__":{"polluted":1}}');
    assert.equal(Reflect.get({}, "polluted"), undefined);
  });
});

test("fields are listed with their types, optional ones with a question mark", () => {
  assert.deepEqual(fieldRows(schema ?? {}).slice(0, 3), [
    ["name", "string (at least 1 characters)", "Who."],
    ["count?", "integer", "Default 3."],
    ["ratio?", "number", ""],
  ]);
  assert.ok(fieldRows(schema ?? {}).some(([name]) => name === "at.x"));
});

test("times are read with their unit, and refused beyond what they are for", () => {
  const read = (text: string): number => parseDuration(text, "--timeout", "1h");
  assert.deepEqual(["250ms", "1.5s", "2m"].map(read), [250, 1500, 120_000]);
  for (const wrong of ["0s", "2h", "5 s", "-1", "soon", ""]) {
    assert.throws(() => read(wrong), /is no time of 1ms to 1h/);
  }
  for (const bare of ["5", "250", "1.5"]) assert.throws(() => read(bare), /has no unit/);
  assert.equal(parseDuration("7d", "--ttl", ttlTimeMax), 604_800_000);
  assert.equal(parseDuration(ttlTimeMax, "--ttl", ttlTimeMax), TTL_MS_MAX);
  assert.throws(() => parseDuration("20y", "--ttl", ttlTimeMax), /1ms to 3650d/);
  assert.throws(() => parseDuration("3653d", "--delay", delayTimeMax), /1ms to 3652d/);
});

test("words for a shell are quoted only where they must be", () => {
  assert.equal(quoted("name=Ada"), "name=Ada");
  assert.equal(quoted("a b"), "'a b'");
  assert.equal(quoted("it's"), `'it'\\''s'`);
});
