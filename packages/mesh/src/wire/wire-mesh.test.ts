import { FakeClock } from "@banyan/testbed";
import { describeMesh } from "../conformance.ts";
import type { MeshHarness } from "../conformance.ts";
import { openTownNode, Town } from "./sample-wire.test.ts";

/** Two nodes; time stands still while bytes are on their way. */
async function openTwo(): Promise<MeshHarness> {
  const clock = new FakeClock({ monotonicMs: 1000 });
  const town = new Town();
  const near = await openTownNode(town, "near", { clock });
  const far = await openTownNode(town, "far", { clock });
  return {
    near,
    far,
    async advance(ms) {
      await settled();
      await clock.advance(ms);
      await settled();
    },
    async close() {
      await near.mesh.close();
      await far.mesh.close();
      near.runtime.close();
      far.runtime.close();
    },
  };
}

/** What is on its way over loopback has arrived. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn += 1) await new Promise((next) => setTimeout(next, 1));
}

describeMesh({ name: "mesh of two nodes", open: openTwo });
