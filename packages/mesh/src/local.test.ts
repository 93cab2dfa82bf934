import assert from "node:assert/strict";
import { test } from "node:test";
import { CallRuntime } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import { describeMesh } from "./conformance.ts";
import type { MeshHarness } from "./conformance.ts";
import { createLocalMesh } from "./local.ts";
import type { Mesh } from "./mesh.ts";

/** A harness of one node: near and far are the same. */
function harnessOf(mesh: Mesh): Promise<MeshHarness> {
  const clock = new FakeClock({ monotonicMs: 1000 });
  const node = { mesh, runtime: new CallRuntime({ clock }) };
  return Promise.resolve({
    near: node,
    far: node,
    advance: (ms) => clock.advance(ms),
    async close() {
      await mesh.close();
      node.runtime.close();
    },
  });
}

describeMesh({ name: "mesh within a process", open: () => harnessOf(createLocalMesh()) });
describeMesh({
  name: "mesh within a process that validates at the edge only",
  open: () => harnessOf(createLocalMesh({ validation: "edge" })),
});

test("an option that is unknown or out of bounds is refused with the nearest one", () => {
  // What plain JavaScript may pass.
  const wrong = { validtion: "full" } as object;
  assert.throws(() => createLocalMesh(wrong), {
    code: "MESH_OPTIONS_INVALID",
    message: 'The mesh has no option "validtion". Did you mean "validation"?',
  });
  assert.throws(() => createLocalMesh({ validation: "none" as "full" }), {
    code: "MESH_OPTIONS_INVALID",
  });
});
