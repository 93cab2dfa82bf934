import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { findBrokenChecks, openJournaled, TestDisk } from "./conformance.ts";
import type { BusSubject } from "./conformance.ts";
import { busLiars } from "./liars.ts";
import type { BusLiar } from "./liars.ts";
import { localBusCapabilities } from "./local-bus.ts";

/** A durable bus, since that is held to the whole law. */
function subjectOf({ name, wrap }: BusLiar): BusSubject {
  return {
    name,
    capabilities: [...localBusCapabilities],
    restarts: true,
    open: async () => {
      const clock = new FakeClock();
      return openJournaled(new TestDisk({ clock }), clock, wrap);
    },
  };
}

describe("the law of a bus", () => {
  test("there are no two liars of one name", () => {
    assert.equal(new Set(busLiars.map(({ name }) => name)).size, busLiars.length);
  });

  test("lets an honest bus through that is wrapped as liars are", async () => {
    const honest = subjectOf({ name: "honest", wrap: (bus) => bus });
    assert.deepEqual(await findBrokenChecks(honest), []);
  });

  for (const liar of busLiars) {
    test(`catches a bus that ${liar.name}`, async (context) => {
      const broken = await findBrokenChecks(subjectOf(liar), undefined, 2);
      assert(broken.length > 0, "the whole law held");
      context.diagnostic(`caught by: ${broken[0]?.name}`);
    });
  }
});
