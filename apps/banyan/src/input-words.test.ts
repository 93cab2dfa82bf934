import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { readInput, valueFrom } from "./input-words.ts";

const object = { type: "object", properties: { n: { type: "integer" } } };

async function valueOf(words: readonly string[], schema?: Record<string, unknown>) {
  return valueFrom(await readInput(words), schema, "A value of shop.items");
}

describe("a value on the command line", () => {
  test("is JSON, or fields converted by the schema", async () => {
    assert.deepEqual(await valueOf(['{"n":"1"}'], object), { n: "1" });
    assert.deepEqual(await valueOf(["[1, 2]"]), [1, 2]);
    assert.deepEqual(await valueOf(["n=1"], object), { n: 1 });
    assert.deepEqual(await valueOf(["n=1", "a.b=x"]), { n: 1, a: { b: "x" } });
  });

  test("of a store without fields is the word itself, by the schema", async () => {
    assert.equal(await valueOf(["42"], { type: "integer" }), 42);
    assert.equal(await valueOf(["42"], { type: "string" }), "42");
    assert.equal(await valueOf(["a=b"], { type: "string" }), "a=b");
    assert.equal(await valueOf(['"quoted"'], { type: "string" }), "quoted");
    assert.equal(await valueOf(["true"], { type: "boolean" }), true);
  });

  test("is read as JSON where nothing is known of it", async () => {
    assert.equal(await valueOf(["42"]), 42);
    assert.equal(await valueOf(["null"]), null);
    assert.equal(await valueOf(['"text"']), "text");
  });

  test("that does not fit is refused with what was expected", async () => {
    const cases: [string[], Record<string, unknown> | undefined, RegExp][] = [
      [["x"], { type: "integer" }, /^x does not fit: expected an integer/],
      [["m=1"], object, /^A value of shop\.items has no field "m"/],
      [["x"], object, /neither JSON nor key=value/],
      [["x"], undefined, /neither JSON nor key=value/],
      [["{"], object, /JSON was expected/],
    ];
    for (const [words, schema, message] of cases) {
      await assert.rejects(valueOf(words, schema), (error) => {
        assert.ok(isBanyanError(error, "CLI_USAGE"));
        assert.match(error.message, message);
        assert.ok(typeof error.details?.["fix"] === "string");
        return true;
      });
    }
  });
});
