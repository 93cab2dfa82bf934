import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import type { Bus } from "./bus.ts";
import { findBrokenChecks } from "./conformance.ts";
import type { BusSubject } from "./conformance.ts";
import { busLiars } from "./liars.ts";
import { openMemoryBus } from "./memory.ts";

function subjectOf(name: string, wrap: (honest: Bus) => Bus): BusSubject {
  return {
    name,
    capabilities: [],
    open: async () => {
      const clock = new FakeClock();
      return {
        bus: wrap(openMemoryBus({ clock })),
        nowMs: () => clock.monotonicMs(),
        advance: (ms) => clock.advance(ms),
      };
    },
  };
}

describe("the law of a bus", () => {
  test("there are no two liars of one name", () => {
    assert.equal(new Set(busLiars.map(({ name }) => name)).size, busLiars.length);
  });

  for (const liar of busLiars) {
    test(`catches a bus that ${liar.name}`, async (context) => {
      const broken = await findBrokenChecks(subjectOf(liar.name, liar.wrap));
      assert(broken.length > 0, "the whole law held");
      context.diagnostic(`${broken.length} checks, such as: ${broken[0]?.name}`);
    });
  }
});
