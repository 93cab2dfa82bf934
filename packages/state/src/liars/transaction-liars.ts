/** Liars about transactions and about those who ride on them. */

import type { CommitRider, EngineChange, EngineTransaction } from "../engine.ts";
import { openMemoryEngine } from "../memory.ts";
import { now, transactionLiar } from "./broken-engine.ts";
import type { StateLiar } from "./broken-engine.ts";

const conflictCheck = "a check that does not hold is a conflict, and nothing is written";

/** The same transaction with riders that nobody hears of. */
function silently({ checks, changes }: EngineTransaction): EngineTransaction {
  return { checks, changes, riders: [] };
}

function alone(change: EngineChange): EngineTransaction {
  return { checks: [], changes: [change], riders: [] };
}

function tell(riders: readonly CommitRider[], kind: "committed" | "dropped"): void {
  for (const rider of riders) rider[kind]();
}

const liarsAboutSteps: readonly StateLiar[] = [
  transactionLiar(
    {
      name: "commits in pieces",
      lie: "writes the changes of a transaction one after the other",
      caughtBy: "nobody sees half a transaction",
    },
    async ({ checks, changes, riders }, honest) => {
      const outcome = await honest({ checks, changes: [], riders: [] });
      if (outcome.kind === "committed") {
        for (const change of changes) await honest(alone(change));
      }
      tell(riders, outcome.kind === "committed" ? "committed" : "dropped");
      return outcome;
    },
  ),
  transactionLiar(
    {
      name: "stops in the middle",
      lie: "leaves what it had written when a later change cannot be done",
      caughtBy: "a transaction that cannot be done leaves nothing behind",
    },
    ({ checks, changes, riders }, honest) => {
      const outcome = now(honest({ checks, changes: [], riders }));
      if (outcome.kind === "committed") for (const change of changes) now(honest(alone(change)));
      return outcome;
    },
  ),
  transactionLiar(
    {
      name: "does not check",
      lie: "commits whatever was read",
      caughtBy: conflictCheck,
    },
    (transaction, honest) => honest({ ...transaction, checks: [] }),
  ),
  transactionLiar(
    {
      name: "does not check absence",
      lie: "has nothing to compare where nothing was read, so it checks nothing",
      caughtBy: conflictCheck,
    },
    (transaction, honest) =>
      honest({
        ...transaction,
        checks: transaction.checks.filter(({ etag }) => etag !== undefined),
      }),
  ),
  transactionLiar(
    {
      name: "checks one",
      lie: "looks at the first check only",
      caughtBy: conflictCheck,
    },
    (transaction, honest) => honest({ ...transaction, checks: transaction.checks.slice(0, 1) }),
  ),
  transactionLiar(
    {
      name: "checks only what it writes",
      lie: "adds the checks to the writes of their keys and drops those of keys that it only read",
      caughtBy: conflictCheck,
    },
    (transaction, honest) => {
      const isWritten = (key: string): boolean =>
        transaction.changes.some((change) => {
          return key === (change.kind === "set" ? change.write.key : change.key);
        });
      const checks = transaction.checks.filter(({ key }) => isWritten(key));
      return honest({ ...transaction, checks });
    },
  ),
  transactionLiar(
    {
      name: "writes before it checks",
      lie: "answers a conflict without taking its writes back",
      caughtBy: conflictCheck,
    },
    (transaction, honest) => {
      const { checks, changes, riders } = transaction;
      const outcome = now(honest({ checks, changes: [], riders }));
      now(honest({ checks: [], changes, riders: [] }));
      return outcome;
    },
  ),
  transactionLiar(
    {
      name: "does not delete",
      lie: "does the writes of a transaction and forgets its deletions",
      caughtBy: "a transaction writes and deletes in several stores",
    },
    (transaction, honest) =>
      honest({
        ...transaction,
        changes: transaction.changes.filter(({ kind }) => kind !== "delete"),
      }),
  ),
  transactionLiar(
    {
      name: "writes into one store",
      lie: "does all changes in the store of the first",
      caughtBy: "a transaction writes and deletes in several stores",
    },
    (transaction, honest) => {
      const [first] = transaction.changes;
      const changes = transaction.changes.map((change) => ({
        ...change,
        store: first?.store ?? change.store,
      }));
      return honest({ ...transaction, changes });
    },
  ),
  transactionLiar(
    {
      name: "loses the time to live in a transaction",
      lie: "writes an entry without the time to live that it had",
      caughtBy: "a transaction gives, keeps and takes away a time to live",
    },
    (transaction, honest) => {
      const changes = transaction.changes.map((change): EngineChange => {
        if (change.kind === "delete" || change.write.expiry !== "keep") return change;
        return { ...change, write: { ...change.write, expiry: "none" } };
      });
      return honest({ ...transaction, changes });
    },
  ),
];

const liarsAboutRiders: readonly StateLiar[] = [
  transactionLiar(
    {
      name: "tells twice",
      lie: "tells a rider of its commit once when it writes and once when it answers",
      caughtBy: "riders are told of their commit once, before it is answered",
    },
    (transaction, honest) => {
      const outcome = now(honest(transaction));
      if (outcome.kind === "committed") tell(transaction.riders, "committed");
      return outcome;
    },
  ),
  transactionLiar(
    {
      name: "tells late",
      lie: "answers a transaction before its riders were told",
      caughtBy: "riders are told of their commit once, before it is answered",
    },
    (transaction, honest) => {
      const outcome = now(honest(silently(transaction)));
      const kind = outcome.kind === "committed" ? "committed" : "dropped";
      setImmediate(() => tell(transaction.riders, kind));
      return outcome;
    },
  ),
  transactionLiar(
    {
      name: "tells early",
      lie: "tells a rider of its commit before anything is written",
      caughtBy: "what was written with a rider is there when the rider is told",
    },
    (transaction, honest) => {
      const { checks, riders } = transaction;
      const outcome = now(honest({ checks, changes: [], riders }));
      return outcome.kind === "committed" ? honest(silently(transaction)) : outcome;
    },
  ),
  transactionLiar(
    {
      name: "lets riders through",
      lie: "commits what rides on a transaction that conflicts",
      caughtBy: "riders of a conflict are dropped once, before it is answered",
    },
    (transaction, honest) => {
      const outcome = honest(silently(transaction));
      tell(transaction.riders, "committed");
      return outcome;
    },
  ),
  transactionLiar(
    {
      name: "leaves riders waiting",
      lie: "tells riders nothing when the transaction fails",
      caughtBy: "riders of a transaction that cannot be done are dropped",
    },
    (transaction, honest) => {
      const outcome = now(honest(silently(transaction)));
      tell(transaction.riders, outcome.kind === "committed" ? "committed" : "dropped");
      return outcome;
    },
  ),
  transactionLiar(
    {
      name: "takes anybody along",
      lie: "tells a rider of another medium that it was committed",
      caughtBy: "a rider of another medium is refused, and nothing is written",
    },
    (transaction, honest) => {
      const { medium } = openMemoryEngine();
      const riders = transaction.riders.map((rider) => ({
        ...rider,
        medium: medium ?? rider.medium,
      }));
      return honest({ ...transaction, riders });
    },
  ),
];

export const liarsAboutTransactions: readonly StateLiar[] = [
  ...liarsAboutSteps,
  ...liarsAboutRiders,
];
