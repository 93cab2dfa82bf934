/** How the buses of a node end: together, and not before all of them are quiet. */

import type { Clock } from "@banyan/kernel";
import type { Bus, DrainReport, SubscriptionStatus } from "@banyan/messaging";
import type { NodeEngines } from "./engines.ts";

/** How often it is looked whether the buses are quiet. */
const quietPollMs = 5;

export interface DrainBusesOptions {
  readonly engines: NodeEngines | undefined;
  readonly clock: Clock;
  /** What is left of the stop's time, in milliseconds. */
  readonly leftMs: () => number;
}

/**
 * Handlers of one bus may publish to the other, or by a relay, so nothing is closed before all are
 * quiet. The relays end first: what comes after them waits in the outbox. Answers the sums.
 */
export async function drainBuses(options: DrainBusesOptions): Promise<DrainReport> {
  const { engines, clock, leftMs } = options;
  const buses = [...(engines?.buses.values() ?? [])];
  const relays = [...(engines?.relays.values() ?? [])];
  if (buses.length + relays.length > 1) {
    const isQuiet = async (): Promise<boolean> =>
      relays.every((relay) => relay.isQuiet) && (await areQuiet(buses));
    while (leftMs() > 0 && !(await isQuiet())) {
      await clock.sleep(Math.min(quietPollMs, leftMs()));
    }
  }
  await Promise.all(relays.map((relay) => relay.close({ drainMs: leftMs() })));
  const reports = await Promise.all(buses.map((bus) => bus.close({ drainMs: leftMs() })));
  return reports.reduce(
    (sum, { unhandled, lost }) => ({
      unhandled: sum.unhandled + unhandled,
      lost: sum.lost + lost,
    }),
    { unhandled: 0, lost: 0 },
  );
}

/** Whether no handler of this node runs, and none is about to. */
async function areQuiet(buses: readonly Bus[]): Promise<boolean> {
  const statuses = await Promise.allSettled(buses.map((bus) => bus.status()));
  return statuses.every(
    // One that cannot say how it is will not become better by waiting.
    (status) => status.status === "rejected" || status.value.subscriptions.every(isQuiet),
  );
}

/** What a group without members holds is for another run, and so is what is delayed. */
function isQuiet({ members, buffered, running, retrying }: SubscriptionStatus): boolean {
  return members === 0 || buffered + running + retrying === 0;
}
