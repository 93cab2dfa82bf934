/**
 * `once`: an event is handled exactly once, however often it is delivered.
 *
 * What it owns: the turns of the events being handled in this process.
 * What may interrupt it: the signal of its call while it waits for a turn, or before its commit.
 *
 * I1. The record that the event was handled is committed with everything its handling wrote and
 *     published, or none of it is.
 * I2. Of duplicates that come at the same time one runs; the others wait for its end.
 * I3. A record is kept for `inboxRetentionMs`: a duplicate that comes later is handled again.
 */

import type { AnyContract, OnceOptions, OnceOutcome, Waiting } from "@banyan/kernel";
import { currentCallContext } from "@banyan/kernel/internal";
import type { StateEngine } from "@banyan/state";
import { stateErrors } from "@banyan/state";
import type { OpenedStore } from "./engines.ts";
import { hostErrors } from "./errors.ts";
import { canKeepInbox } from "./inbox.ts";
import type { NodeParts } from "./node-parts.ts";
import { inboxKey } from "./transactions.ts";
import type { ErasedTransaction, ServiceTransactions } from "./transactions.ts";
import { Turns } from "./turns.ts";

type Work = (tx: ErasedTransaction) => unknown;
export type Once = (
  event: { readonly eventId: string },
  run: Work,
  options?: OnceOptions,
) => Promise<OnceOutcome>;

/** Bytes of a key there may be; the event's id and a colon are part of it. */
const nameMax = 200;

export function createOnce(
  contract: AnyContract,
  { transactions, node }: { transactions: ServiceTransactions; node: NodeParts },
): Once {
  const { engines, clock, inboxRetentionMs } = node;
  const turns = new Turns();
  // Opened once by the engines, which try again after a failure; kept here when it is open.
  let inbox: OpenedStore | undefined;

  const openInbox = async (): Promise<OpenedStore> => {
    const engine = transactions.engine ?? (await engines.durableEngine());
    if (!canKeepInbox(engine)) throw noInbox(contract, engine);
    return engines.openInbox(engine);
  };

  return async (event, run, options = {}) => {
    const call = currentCallContext();
    const key = recordKey(contract, event, options.as ?? callName(contract, call));
    // Without a signal of its own it ends with the call that it is part of.
    const waiting: Waiting = options.signal === undefined ? (call ?? {}) : options;
    const opened = (inbox ??= await openInbox());
    await turns.take(key, waiting);
    try {
      return await transactions.runWithInbox(
        opened,
        async (tx, open): Promise<OnceOutcome> => {
          const records = open.stores[inboxKey];
          if (records === undefined) throw new Error("The inbox is not part of the transaction.");
          if (await records.has(key)) return "duplicate";
          await run(tx);
          const handledAt = new Date(clock.nowMs()).toISOString();
          records.set(key, { handledAt }, { ttlMs: inboxRetentionMs });
          return "done";
        },
        waiting,
      );
    } finally {
      turns.leave(key);
    }
  };
}

/** The subscription whose handler runs, or the operation: `orders.reserved`. */
function callName(
  { name }: AnyContract,
  call: ReturnType<typeof currentCallContext>,
): string | undefined {
  if (call === undefined || call.service !== name) return undefined;
  return call.operation.startsWith(`${name}.`) ? call.operation.slice(name.length + 1) : undefined;
}

/** @throws ONCE_INVALID */
function recordKey(
  { name }: AnyContract,
  { eventId }: { readonly eventId: unknown },
  as: string | undefined,
): string {
  if (as === undefined) {
    throw hostErrors.ONCE_INVALID(
      `once of the service ${name} does not know under which name the event counts as handled: ` +
        'call it in the handler of a subscription, or give { as: "…" }.',
    );
  }
  const bytes = typeof as === "string" ? Buffer.byteLength(as) : 0;
  if (bytes < 1 || bytes > nameMax) {
    throw hostErrors.ONCE_INVALID(`as is 1 to ${nameMax} bytes of text, not ${bytes}.`);
  }
  if (typeof eventId !== "string" || eventId === "" || eventId.length > nameMax) {
    throw hostErrors.ONCE_INVALID(
      `once needs the event as its handler got it: its eventId is ${JSON.stringify(eventId)}.`,
    );
  }
  return `${name}.${as}:${eventId}`;
}

function noInbox({ name }: AnyContract, engine: StateEngine): Error {
  return stateErrors.STATE_CAPABILITY_MISSING(
    `once of the service ${name} keeps its records on the engine ${engine.name}, which lacks ` +
      '"transaction" or "expires"; set engines.durable to one that has both, such as sqlite.',
    { details: { service: name, engine: engine.name } },
  );
}
