/** Liars on whom a write with an `operationId` cannot rely. */

import type { Clock } from "@banyan/kernel";
import type { EngineChange, EngineEntry, StateEngine } from "../engine.ts";
import { openMemoryEngine } from "../memory.ts";
import { engineThat, now, transactionLiar } from "./broken-engine.ts";
import type { StateLiar } from "./broken-engine.ts";

const onceCheck = "a write with an operationId is done once, and asking again answers the same";
const atOnceCheck = "writes that ask at once with one operationId take effect once";

function keyOf(change: EngineChange): string {
  return change.kind === "set" ? change.write.key : change.key;
}

/** Whatever is opened again is a new engine over the entries that were kept. */
function restartingLiar(
  about: Omit<StateLiar, "open" | "reopen">,
  openOn: (base: StateEngine, clock: Clock, isAgain: boolean) => StateEngine,
): StateLiar {
  const bases = new WeakMap<Clock, StateEngine>();
  const open = (clock: Clock, isAgain: boolean): StateEngine => {
    const base = bases.get(clock) ?? openMemoryEngine({ clock });
    bases.set(clock, base);
    return { ...openOn(base, clock, isAgain), durability: "durable" };
  };
  return { ...about, open: (clock) => open(clock, false), reopen: (clock) => open(clock, true) };
}

export const liarsAboutOperations: readonly StateLiar[] = [
  {
    name: "makes its own etags",
    lie: "gives an entry another etag than the one that its write brought",
    caughtBy: "an entry has the etag that its write brought",
    open: (clock) =>
      engineThat(clock, (store) => ({
        set: (write, condition) => store.set({ ...write, etag: undefined }, condition),
        setMany: (writes) => store.setMany(writes.map((each) => ({ ...each, etag: undefined }))),
      })),
  },
  transactionLiar(
    {
      name: "makes its own etags in transactions",
      lie: "gives an entry of a transaction another etag than the one that its write brought",
      caughtBy: onceCheck,
    },
    (transaction, honest) => {
      const changes = transaction.changes.map((change): EngineChange => {
        if (change.kind === "delete") return change;
        return { ...change, write: { ...change.write, etag: undefined } };
      });
      return honest({ ...transaction, changes });
    },
  ),
  transactionLiar(
    {
      name: "leaves the record out",
      lie: "commits what a transaction changes in its first store, and acknowledges the rest",
      caughtBy: onceCheck,
    },
    (transaction, honest) => {
      const [first] = transaction.changes;
      const changes = transaction.changes.filter(({ store }) => store === first?.store);
      return honest({ ...transaction, changes });
    },
  ),
  transactionLiar(
    {
      name: "overwrites the record",
      lie: "does an insert as an upsert: the absence of a key that is written is not insisted on",
      caughtBy: "another write under a used operationId is refused, and nothing is written",
    },
    (transaction, honest) => {
      const written = new Set(transaction.changes.map(keyOf));
      const checks = transaction.checks.filter(({ key, etag }) => {
        return etag !== undefined || !written.has(key);
      });
      return honest({ ...transaction, checks });
    },
  ),
  transactionLiar(
    {
      name: "looks before it leaps",
      lie: "checks, waits for a connection, and writes: who asks twice at once is served twice",
      caughtBy: atOnceCheck,
    },
    async (transaction, honest) => {
      const checked = await honest({ ...transaction, changes: [], riders: [] });
      if (checked.kind === "conflict") return checked;
      await new Promise((resolve) => {
        setImmediate(resolve);
      });
      return honest({ ...transaction, checks: [] });
    },
  ),
  {
    name: "reads a replica",
    lie: "answers reads as of some writes ago, so a record that is there is not found",
    caughtBy: atOnceCheck,
    open: (clock) =>
      engineThat(clock, (_store, { spec }) => {
        // Of the records only: the plain sentences about reads would catch it sooner.
        if (!spec.name.startsWith(".")) return {};
        return { get: (): EngineEntry | undefined => undefined };
      }),
  },
  transactionLiar(
    {
      name: "keeps records for ever",
      lie: "drops the time to live of what a transaction writes",
      caughtBy: "an operation is remembered for its time and no longer",
    },
    (transaction, honest) => {
      const changes = transaction.changes.map((change): EngineChange => {
        if (change.kind === "delete") return change;
        return { ...change, write: { ...change.write, expiry: "none" } };
      });
      return honest({ ...transaction, changes });
    },
  ),
  transactionLiar(
    {
      name: "cuts the record short",
      lie: "keeps what a transaction writes for half of its time",
      caughtBy: "an operation is remembered for its time and no longer",
    },
    (transaction, honest) => {
      const changes = transaction.changes.map((change): EngineChange => {
        if (change.kind === "delete" || typeof change.write.expiry !== "number") return change;
        const expiry = change.write.expiry / 2;
        return { ...change, write: { ...change.write, expiry } };
      });
      return honest({ ...transaction, changes });
    },
  ),
  transactionLiar(
    {
      name: "has room for a thousand",
      lie: "refuses the change that a batch of a thousand has with its record",
      caughtBy: "a batch of a thousand takes an operationId, and so does one of nothing",
    },
    (transaction, honest) =>
      honest({ ...transaction, changes: transaction.changes.slice(0, 1000) }),
  ),
  restartingLiar(
    {
      name: "forgets operations",
      lie: "keeps its entries over a restart, but for those of stores it takes for temporary",
      caughtBy: "operations are remembered over a restart",
    },
    (base, clock, isAgain) => {
      const engine = engineThat(clock, () => ({}), base);
      return {
        ...engine,
        openStore: (spec) => {
          const store = now(engine.openStore(spec));
          if (!isAgain || !spec.name.startsWith(".")) return store;
          const left = now(store.scan({ prefix: "", after: undefined, limit: 1000 }));
          now(store.deleteMany(left.map(({ key }) => key)));
          return store;
        },
      };
    },
  ),
];
