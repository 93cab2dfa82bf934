/**
 * The law of priorities, held by a bus that is made for it: our own buses do not offer them, and a
 * law that nobody was held to proves nothing.
 */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock } from "@banyan/testbed";
import { BusCapability } from "../bus.ts";
import type { Bus, DeadLetter, OutgoingMessage } from "../bus.ts";
import { findBrokenChecks } from "../conformance.ts";
import { list, lyingBus } from "../liars/lying-bus.ts";
import { checkMessage } from "../message-check.ts";
import { openMemoryBus } from "../memory.ts";
import type { BusHarness, BusSubject } from "./law-check.ts";
import { priorityLaw } from "./priority-law.ts";

type Sort = (messages: readonly OutgoingMessage[]) => OutgoingMessage[];

const capabilities: ReadonlySet<BusCapability> = new Set([BusCapability.Priority]);
const checks = { bodySizeMax: 1024, owned: false, priority: true };
const valueOf = ({ priority = 0 }: OutgoingMessage): number => priority;

/** Keeps everything to itself until somebody subscribes, and sorts it then. */
function prioritised(honest: Bus, sort: Sort): Bus {
  const kept: OutgoingMessage[] = [];
  return lyingBus(honest, {
    capabilities,
    publish: async (messages) => {
      kept.push(...list(messages).map((message) => checkMessage(message, checks)));
    },
    subscribe: async (spec, handler) => {
      const subscription = await honest.subscribe(spec, handler);
      const sorted = sort(kept.splice(0));
      await honest.publish(sorted.map(({ priority: _priority, ...message }) => message));
      return subscription;
    },
  });
}

function subjectOf(sort: Sort, wrap: (bus: Bus) => Bus = (bus) => bus): BusSubject {
  const open = async (): Promise<BusHarness> => {
    const clock = new FakeClock();
    const told: DeadLetter[] = [];
    const onDeadLetter = (letter: DeadLetter): void => void told.push(letter);
    return {
      bus: wrap(prioritised(openMemoryBus({ clock, onDeadLetter }), sort)),
      told,
      nowMs: () => clock.monotonicMs(),
      wallMs: () => clock.nowMs(),
      advance: (ms) => clock.advance(ms),
    };
  };
  return { name: "prioritised", capabilities: [...capabilities], open };
}

const honestSort: Sort = (messages) => messages.toSorted((a, b) => valueOf(b) - valueOf(a));

/** Whatever a message asks for is no matter. */
const unchecked = (bus: Bus): Bus =>
  lyingBus(bus, {
    publish: (messages) => {
      const valid = list(messages).map(({ priority = 0, ...message }) => ({
        ...message,
        priority: Math.min(9, Math.max(0, Math.floor(priority) || 0)),
      }));
      return bus.publish(valid);
    },
  });

describe("the law of priorities", () => {
  test("lets a bus through that keeps it", async () => {
    assert.deepEqual(await findBrokenChecks(subjectOf(honestSort), priorityLaw), []);
  });

  const liars: readonly (readonly [name: string, BusSubject])[] = [
    ["ignores priorities", subjectOf((messages) => [...messages])],
    [
      "takes the lowest first",
      subjectOf((messages) => messages.toSorted((a, b) => valueOf(a) - valueOf(b))),
    ],
    [
      "turns those of one priority around",
      subjectOf((messages) => honestSort(messages.toReversed())),
    ],
    ["takes any number for a priority", subjectOf(honestSort, unchecked)],
  ];
  for (const [name, liar] of liars) {
    test(`catches a bus that ${name}`, async () => {
      assert.equal((await findBrokenChecks(liar, priorityLaw)).length, 1);
    });
  }
});
