/** Liars about the outbox: who may relay what was committed, and when. */

import assert from "node:assert/strict";
import type { EngineOutbox } from "../engine.ts";
import { openMemoryEngine } from "../memory.ts";
import { engineThat, now, transactionLiar } from "./broken-engine.ts";
import type { StateLiar } from "./broken-engine.ts";

/** The memory engine with an outbox of which some methods are not what they should be. */
function outboxLiar(
  about: Omit<StateLiar, "open">,
  lie: (outbox: EngineOutbox) => Partial<EngineOutbox>,
): StateLiar {
  return {
    ...about,
    open: (clock) => {
      const base = openMemoryEngine({ clock });
      const { outbox } = base;
      assert(outbox !== undefined, "the engine behind a liar has an outbox");
      const honest: EngineOutbox = {
        ride: (loads, hold, onCommitted) => outbox.ride(loads, hold, onCommitted),
        claim: (claim) => outbox.claim(claim),
        remove: (ids) => outbox.remove(ids),
        release: (by) => outbox.release(by),
        setAside: (id, reason) => outbox.setAside(id, reason),
        status: () => outbox.status(),
      };
      return { ...engineThat(clock, () => ({}), base), outbox: { ...honest, ...lie(outbox) } };
    },
  };
}

export const liarsAboutOutboxes: readonly StateLiar[] = [
  transactionLiar(
    {
      name: "tells what never happened",
      lie: "writes the rows of the outbox beside the transaction, whatever becomes of it",
      caughtBy: "a transaction that is not committed leaves nothing in the outbox",
    },
    (transaction, honest) => {
      const outcome = now(honest(transaction));
      const { riders } = transaction;
      if (outcome.kind === "conflict") now(honest({ checks: [], changes: [], riders }));
      return outcome;
    },
  ),
  outboxLiar(
    {
      name: "gives rows to everybody",
      lie: "answers a claim with rows that another holder is relaying",
      caughtBy: "of claims at one time none share a row",
    },
    (outbox) => {
      const holders = new Set<string>();
      return {
        claim: (claim) => {
          for (const holder of holders) now(outbox.release(holder));
          holders.add(claim.by);
          return outbox.claim(claim);
        },
      };
    },
  ),
  outboxLiar(
    {
      name: "waits for the dead",
      lie: "keeps rows for the process that committed them, though its lease is long over",
      caughtBy: "what was committed is its process's to relay until the lease is over",
    },
    (outbox) => ({
      ride: (loads, { by }, onCommitted) => outbox.ride(loads, { by, leaseMs: 1e9 }, onCommitted),
    }),
  ),
  outboxLiar(
    {
      name: "lets anybody overtake",
      lie: "leaves new rows to whoever comes first, so that two relay one process's events",
      caughtBy: "what was committed is its process's to relay until the lease is over",
    },
    (outbox) => ({
      ride: (loads, { by }, onCommitted) => outbox.ride(loads, { by, leaseMs: 0 }, onCommitted),
    }),
  ),
  outboxLiar(
    {
      name: "relays backwards",
      lie: "answers a claim in any order but that of the commits",
      caughtBy: "rows of the outbox are committed with their transaction, in their order",
    },
    (outbox) => ({ claim: (claim) => now(outbox.claim(claim)).toReversed() }),
  ),
  outboxLiar(
    {
      name: "takes a claim for the end",
      lie: "forgets a row when it is claimed, before anybody was told of it",
      caughtBy: "a claim takes the oldest rows, and its holder may claim them again",
    },
    (outbox) => ({
      claim: (claim) => {
        const rows = now(outbox.claim(claim));
        now(outbox.remove(rows.map(({ id }) => id)));
        return rows;
      },
    }),
  ),
  outboxLiar(
    {
      name: "numbers rows anew",
      lie: "gives a new row the id of one that was told, as a table does whose ids are not kept",
      caughtBy: "no id of an outbox is used twice, also when no row is left",
    },
    (outbox) => {
      const ids = new Map<string, string>();
      return {
        claim: (claim) =>
          now(outbox.claim(claim)).map(({ id, load }, at) => {
            ids.set(String(at), id);
            return { id: String(at), load };
          }),
        remove: (told) => outbox.remove(told.map((id) => ids.get(id) ?? id)),
      };
    },
  ),
  outboxLiar(
    {
      name: "trips over one row",
      lie: "goes on answering a claim with what was set aside",
      caughtBy: "a row that is set aside is counted, and out of the way",
    },
    () => ({ setAside: () => undefined }),
  ),
];
