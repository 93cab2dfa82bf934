/** A local bus with a test journal, as a harness of the law: the bus that liars are made of. */

import type { Clock } from "@banyan/kernel";
import type { Bus, DeadLetter } from "../bus.ts";
import { openLocalBus } from "../local-bus.ts";
import type { BusHarness } from "./law-check.ts";
import type { TestDisk } from "./test-journal.ts";

/** A clock that a test moves. */
export interface MovableClock extends Clock {
  advance(ms: number): Promise<void>;
}

/** @param wrap made around every bus that is opened, the restarted ones included */
export function openJournaled(
  disk: TestDisk,
  clock: MovableClock,
  wrap: (bus: Bus) => Bus = (bus) => bus,
): BusHarness {
  const told: DeadLetter[] = [];
  const onDeadLetter = (letter: DeadLetter): void => void told.push(letter);
  const journal = disk.open();
  const bus = wrap(openLocalBus({ name: "journaled", journal, clock, onDeadLetter }));
  return {
    bus,
    told,
    nowMs: () => clock.monotonicMs(),
    wallMs: () => clock.nowMs(),
    advance: (ms) => clock.advance(ms),
    commit: (riders) => disk.commit(riders),
    restart: async () => {
      await bus.close({ drainMs: 0 });
      return openJournaled(disk, clock, wrap);
    },
  };
}
