/**
 * The policy `stop`: looks whether messages have waited for RabbitMQ for too long, whether their
 * row was full for as long, or whether it took none for as long while they were published and
 * withdrawn at their deadlines; and says so once. It looks by itself, as perhaps nobody publishes.
 */

import type { CancelTimer, Clock } from "@banyan/kernel";
import { rabbitmqErrors } from "./errors.ts";
import type { Outbound } from "./outbound.ts";

/** Between two looks: a tenth of the bound, and a second at the most. */
const lookMaxMs = 1000;

export interface OutageWatchPorts {
  readonly clock: Clock;
  readonly outbound: Outbound;
  readonly ageMaxMs: number;
  /** Why there is no connection. */
  readonly failure: () => Error;
  /** Told once. */
  readonly onOutage: (error: Error) => void;
}

/** Looks until it has told, or until the answer is called. */
export function watchOutage(ports: OutageWatchPorts): () => void {
  const { clock, outbound, ageMaxMs, onOutage } = ports;
  let cancel: CancelTimer | undefined = undefined;
  const look = (): void => {
    // Asked for in any case: a row that was full is found to have room again by that.
    const isFull = outbound.refusal !== undefined;
    const fullMs = isFull ? Math.max(outbound.oldestMs, outbound.fullMs) : 0;
    if (Math.max(fullMs, outbound.unservedMs) > ageMaxMs) {
      onOutage(outage(ports));
      return;
    }
    cancel = clock.setTimer(Math.min(lookMaxMs, ageMaxMs / 10), look);
  };
  look();
  return () => cancel?.();
}

/** Anybody may read it on the page of the node's readiness: where the server is stays out of it. */
function outage({ outbound, ageMaxMs, failure }: OutageWatchPorts): Error {
  const { size, oldestMs, fullMs, unservedMs, blocked, takes } = outbound;
  const seconds = (ms: number): string => `${Math.round(ms / 1000)} s`;
  const state = blocked !== undefined ? "blocked" : takes ? "connected" : "away";
  return rabbitmqErrors.RABBITMQ_OUTAGE(
    `${size} messages wait for RabbitMQ, which is ${state}: the oldest for ${seconds(oldestMs)}, ` +
      `for ${seconds(fullMs)} no more were let in, and for ${seconds(unservedMs)} it has taken ` +
      `none. More than ${seconds(ageMaxMs)} ` +
      '(outboundAgeMaxMs) end the node where outboundPolicy is "stop".',
    {
      details: { messages: size, oldestMs, fullMs, unservedMs },
      ...(takes ? {} : { cause: failure() }),
    },
  );
}
