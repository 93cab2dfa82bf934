import assert from "node:assert/strict";
import { test } from "node:test";
import { isEdgeAllowed, isLayer, layers } from "./layers.ts";
import type { Layer } from "./layers.ts";

const all: readonly Layer[] = ["L0", "L1", "L2", "L3", "L4", "L5"];

/** Which layers a layer reaches: H hard, s only softly, - not at all; columns L0 … L5. */
const law: Readonly<Record<Layer, string>> = {
  L0: "H-----",
  L1: "HH----",
  L2: "HHH---",
  L3: "HH-s--", // a branch beside L2
  L4: "HHHss-",
  L5: "HHHssH",
};

test("the layers allow exactly the edges of the law", () => {
  for (const from of all) {
    const row = all.map((to) => {
      if (isEdgeAllowed(from, to, "hard")) return "H";
      return isEdgeAllowed(from, to, "soft") ? "s" : "-";
    });
    assert.equal(row.join(""), law[from], from);
  }
});

test("what is allowed hard is allowed soft, and hard edges across layers form no cycle", () => {
  for (const from of all) {
    for (const to of all) {
      if (isEdgeAllowed(from, to, "hard")) assert.ok(isEdgeAllowed(from, to, "soft"));
      if (from !== to && isEdgeAllowed(from, to, "hard")) {
        assert.ok(!isEdgeAllowed(to, from, "hard"), `${from} and ${to} require each other`);
      }
    }
  }
  assert.equal(new Set(all.map((layer) => layers[layer].name)).size, all.length);
});

test("a layer is told from what is none", () => {
  assert.ok(all.every(isLayer));
  for (const other of ["L6", "constructor", "", 0, null]) assert.equal(isLayer(other), false);
});
