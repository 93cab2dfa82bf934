/**
 * A load of orders that survives the node's death: each order has an idempotency key of its own and
 * is sent again under it until the node says yes or no.
 *
 * I1. A key is acknowledged at most once, and what was acknowledged is in the report.
 * I2. Only what cannot become right by asking again ends the load with an error.
 */

import { isBanyanError } from "@banyan/kernel";
import type { Client, Clock, ErrorKind, Static } from "@banyan/kernel";
import type { orders } from "./orders.contract.ts";

type Order = Static<typeof orders.spec.operations.place.response>;

export interface LoadOptions {
  readonly orders: Pick<Client<typeof orders>, "place">;
  readonly item: string;
  /** Orders under way at once. */
  readonly clients: number;
  /** Of all clients together; left out: each sends its next order when the last is answered. */
  readonly perSecond?: number | undefined;
  /** Before each order: whether to place one more after so many. */
  readonly goesOn: (begun: number) => boolean;
  /** The keys are `<prefix>-0`, `<prefix>-1`, …: one prefix for one load. */
  readonly keyPrefix: string;
  readonly clock: Clock;
  /** Told why an order has to be sent again. */
  readonly onRepeat?: (error: unknown) => void;
  /** Aborted: nothing is sent again, and the load ends with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export interface LoadReport {
  /** By idempotency key. */
  readonly acknowledged: ReadonlyMap<string, Order>;
  /** How often an order had to be sent again. */
  readonly repeats: number;
}

/** Pieces in the order of this number: 1, 2, 3, 1, … */
export const piecesOf = (number: number): number => 1 + (number % 3);

export async function placeOrders(options: LoadOptions): Promise<LoadReport> {
  const { orders, item, clients, perSecond = Infinity, goesOn, keyPrefix, clock } = options;
  const acknowledged = new Map<string, Order>();
  const startedMs = clock.monotonicMs();
  let begun = 0;
  let repeats = 0;

  const placeOne = async (idempotencyKey: string, count: number): Promise<void> => {
    const order = await untilAnswered(() => orders.place({ item, count }, { idempotencyKey }), {
      clock,
      signal: options.signal,
      onRepeat: (error) => {
        repeats += 1;
        options.onRepeat?.(error);
      },
    });
    acknowledged.set(idempotencyKey, order);
  };

  const runClient = async (): Promise<void> => {
    while (goesOn(begun)) {
      const number = begun;
      begun += 1;
      const waitMs = startedMs + (number * 1000) / perSecond - clock.monotonicMs();
      if (waitMs > 0) await clock.sleep(waitMs);
      await placeOne(`${keyPrefix}-${number}`, piecesOf(number));
    }
  };

  await Promise.all(Array.from({ length: clients }, runClient));
  return { acknowledged, repeats };
}

/** Asks until an answer comes, whatever becomes of the node meanwhile. For what may be repeated. */
export async function untilAnswered<T>(
  ask: () => Promise<T>,
  { clock, onRepeat, signal }: Pick<LoadOptions, "clock" | "onRepeat" | "signal">,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask();
    } catch (error) {
      if (isFinal(error)) throw error;
      onRepeat?.(error);
      await clock.sleep(Math.min(20 * attempt, 200), { signal });
    }
  }
}

const finalKinds = new Set<ErrorKind>([
  "invalid_argument",
  "not_found",
  "unauthenticated",
  "permission_denied",
  "unimplemented",
]);

/** The rest may come right: the node is away, busy, or cannot tell what became of the order. */
function isFinal(error: unknown): boolean {
  return !isBanyanError(error) || finalKinds.has(error.kind);
}
