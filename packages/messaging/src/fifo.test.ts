import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { Fifo } from "./fifo.ts";

describe("a fifo", () => {
  test("behaves as an array does, whatever is pushed and taken", () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constantFrom("push", "unshift", "remove"), item: fc.nat(20) }),
      fc.record({ kind: fc.constantFrom("shift", "peek", "clear"), item: fc.constant(0) }),
    );
    const property = fc.property(fc.array(command, { maxLength: 120 }), (commands) => {
      const fifo = new Fifo<number>();
      const model: number[] = [];
      for (const { kind, item } of commands) {
        if (kind === "push") {
          fifo.push(item);
          model.push(item);
        } else if (kind === "unshift") {
          fifo.unshift(item);
          model.unshift(item);
        } else if (kind === "remove") {
          fifo.removeAll((each) => each === item);
          model.splice(0, model.length, ...model.filter((each) => each !== item));
        } else if (kind === "shift") assert.equal(fifo.shift(), model.shift());
        else if (kind === "peek") assert.equal(fifo.peek(), model[0]);
        else if (model.length > 15) {
          fifo.clear();
          model.length = 0;
        }
        assert.equal(fifo.size, model.length);
      }
    });
    fc.assert(property, { seed: seedOf(), numRuns: 200 });
  });
});
