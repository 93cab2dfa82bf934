/**
 * The law as it is for a bus whose groups share their backlog with other processes, held by one
 * that is made for it, and patience with a slow one.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import type { Bus, DrainReport, Subscription } from "../bus.ts";
import { findBrokenChecks, lawFor, LawRun } from "../conformance.ts";
import { lyingBus } from "../liars/lying-bus.ts";
import { localBusCapabilities } from "../local-bus.ts";
import { openMemoryBus } from "../memory.ts";
import { openJournaled } from "./journaled-harness.ts";
import type { BusSubject } from "./law-check.ts";
import { TestDisk } from "./test-journal.ts";

type End = (honest: Bus, report: DrainReport) => Promise<DrainReport> | DrainReport;

/** Its subscriptions end, and what they did not take stays. */
function sharing(honest: Bus, end: End): Bus {
  const live: Subscription[] = [];
  let isClosing = false;
  let givenBack = 0;
  let closing: Promise<DrainReport> | undefined;
  const close = async (options?: { readonly drainMs?: number | undefined }) => {
    isClosing = true;
    await Promise.all(live.map((subscription) => subscription.close(options)));
    const report = await end(honest, { unhandled: givenBack, lost: 0 });
    await honest.close({ drainMs: 0 });
    return report;
  };
  return lyingBus(honest, {
    subscribe: async (spec, handler) => {
      const subscription = await honest.subscribe(spec, (delivery) => {
        const count = (): void => {
          if (isClosing) givenBack += 1;
        };
        delivery.signal.addEventListener("abort", count, { once: true });
        return handler(delivery);
      });
      live.push(subscription);
      return subscription;
    },
    close: (options) => {
      // Each subscription hears of a later patience, too.
      for (const subscription of closing === undefined ? [] : live) {
        void subscription.close(options);
      }
      return (closing ??= close(options));
    },
  });
}

function subjectOf(end: End): BusSubject {
  return {
    name: "sharing",
    capabilities: [...localBusCapabilities],
    restarts: true,
    sharesBacklog: true,
    open: async () => {
      const clock = new FakeClock();
      return openJournaled(new TestDisk({ clock }), clock, (honest) => sharing(honest, end));
    },
  };
}

const sayNothing: End = (_honest, report) => report;

const dropBacklog: End = async (honest, report) => {
  const { subscriptions } = await honest.status();
  for (const { name, delivery } of subscriptions) {
    if (delivery === "group") await honest.removeGroup(name);
  }
  return report;
};

describe("the law of a bus that shares its backlog", () => {
  test("is held by one that leaves it where it is", async () => {
    assert.deepEqual(await findBrokenChecks(subjectOf(sayNothing)), []);
  });

  const liars: readonly (readonly [name: string, End])[] = [
    ["drops the backlog when it closes", dropBacklog],
    ["does not count what it gave back", () => ({ unhandled: 0, lost: 0 })],
    [
      "counts what it never took",
      (_honest, { unhandled, lost }) => ({ unhandled: unhandled + 100, lost }),
    ],
  ];
  for (const [name, end] of liars) {
    test(`catches one that ${name}`, async () => {
      const subject = subjectOf(end);
      const closing = lawFor(subject).filter((check) => check.name.startsWith("closing the bus"));
      assert((await findBrokenChecks(subject, closing)).length > 0);
    });
  }

  test("is stricter where nothing is shared", async () => {
    const subject = { ...subjectOf(sayNothing), sharesBacklog: false };
    const broken = await findBrokenChecks(subject);
    assert(broken.some(({ name }) => name.startsWith("closing the bus handles what was accepted")));
  });
});

describe("the patience of a harness", () => {
  const lawWith = (patience: number | undefined): LawRun => {
    const clock = new FakeClock();
    return new LawRun(
      {
        bus: openMemoryBus({ clock }),
        told: [],
        nowMs: () => clock.monotonicMs(),
        advance: (ms) => clock.advance(ms),
        patience,
      },
      [],
    );
  };

  test("is two seconds, so many times", async () => {
    for (const [patience, waitMs] of [
      [undefined, 1900],
      [3, 5900],
    ] as const) {
      const law = lawWith(patience);
      await law.until("it is late", () => law.nowMs() >= waitMs);
      const never = law.soon(new Promise<void>(() => undefined));
      await assert.rejects(never, /still not so after/);
      assert(law.nowMs() < waitMs + 2000 * (patience ?? 1) + 100);
      await assert.rejects(law.dead("nobody", 1));
    }
  });
});
