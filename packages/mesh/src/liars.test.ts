import assert from "node:assert/strict";
import { test } from "node:test";
import { CallRuntime } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import { findBrokenMeshChecks, meshLaw } from "./conformance.ts";
import type { MeshSubject } from "./conformance.ts";
import { meshLiars } from "./liars.ts";
import type { MeshLiar } from "./liars.ts";

function subjectOf(liar: MeshLiar): MeshSubject {
  return {
    name: `mesh that ${liar.lie}`,
    patienceMs: 200,
    open: () => {
      const clock = new FakeClock({ monotonicMs: 1000 });
      const node = { mesh: liar.create(), runtime: new CallRuntime({ clock }) };
      const advance = (ms: number): Promise<void> => clock.advance(ms);
      return Promise.resolve({ near: node, far: node, advance, close: () => node.mesh.close() });
    },
  };
}

for (const liar of meshLiars) {
  test(`the law catches a mesh that ${liar.lie}`, async () => {
    const check = meshLaw.find(({ name }) => name === liar.caughtBy);
    assert(check !== undefined, `there is no check "${liar.caughtBy}"`);
    const broken = await findBrokenMeshChecks(subjectOf(liar), [check]);
    assert.equal(broken.length, 1, `"${liar.caughtBy}" held`);
  });
}

test("every lie is told once", () => {
  assert.ok(meshLiars.length >= 20);
  assert.equal(new Set(meshLiars.map(({ lie }) => lie)).size, meshLiars.length);
});
