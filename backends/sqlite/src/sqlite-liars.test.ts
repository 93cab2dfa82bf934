/**
 * The law over SQLite engines that lie: each has the real engine, file and threads, and one mistake
 * in what goes to the file or comes from it. The law must break on every one.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSeededRandom } from "@banyan/kernel";
import type { Random } from "@banyan/kernel";
import { runStateChecks, stateChecks } from "@banyan/state/conformance";
import type { StateSuite } from "@banyan/state/conformance";
import { FakeClock, temporaryDirectory } from "@banyan/testbed";
import type { OpShape } from "./op-context.ts";
import { resolveSqliteOptions } from "./options.ts";
import { createSqliteEngine } from "./sqlite-engine.ts";
import { openSqliteFile } from "./sqlite-file.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import type { StateSet } from "./state-ops.ts";
import type { WriteOp } from "./write-op.ts";

type ChangedFile = (real: SqliteFile) => Partial<SqliteFile>;

interface FileLiar {
  readonly lie: string;
  readonly caughtBy: string;
  /** What differs from the real file. */
  readonly file?: ChangedFile;
  /** Where etags come from at each opening. */
  readonly random?: () => Random;
  /** Name of the file at the first, second, … opening. */
  readonly nameOf?: (opening: number) => string;
}

/** The same set with one of its values changed; the places are those of `StateSet`. */
function changed(op: StateSet, at: number, value: string | number | boolean | null): StateSet {
  const copy: unknown[] = [...op];
  copy[at] = value;
  // As many values as before, and each lie puts one of the right type in its place.
  return copy as unknown as StateSet;
}

/** A file that changes every write before it hands it over. */
function writing(change: (op: WriteOp) => WriteOp): ChangedFile {
  return (real) => ({ write: (op) => real.write(change(op)) });
}

/** The same for the sets, wherever they are inside. */
function setting(change: (op: StateSet) => StateSet): ChangedFile {
  const inside = (op: WriteOp): WriteOp => {
    if (op[0] === "stateSet") return change(op);
    if (op[0] === "stateBatch") {
      return ["stateBatch", op[1].map((each) => (each[0] === "stateSet" ? change(each) : each))];
    }
    // What is inside of a transaction here are the engine's own writes.
    const within = (each: OpShape): OpShape => inside(each as WriteOp);
    return op[0] === "stateTransact" ? [op[0], op[1], op[2], op[3].map(within)] : op;
  };
  return writing(inside);
}

const liars: readonly FileLiar[] = [
  {
    lie: "answers a write when it was handed over, not when it is on disk",
    caughtBy: "what was set is got, with the etag that set returned",
    file: (real) => ({
      write: (op) => {
        const written = real.write(op);
        if (op[0] !== "stateSet") return written;
        written.catch(() => undefined); // nobody hears of it: that is the lie
        return Promise.resolve(1);
      },
    }),
  },
  {
    lie: "hands batches over a turn later than single writes",
    caughtBy: "writes take effect in the order in which they were handed over",
    file: (real) => ({
      write: async (op) => {
        if (op[0] === "stateBatch") await new Promise(setImmediate);
        return real.write(op);
      },
    }),
  },
  {
    lie: "loses the condition on the way to the statement",
    caughtBy: "ifMatch writes over the etag it names and over no other",
    file: setting((op) => changed(op, 9, "")),
  },
  {
    lie: "writes a batch statement by statement",
    caughtBy: "nobody sees half a batch",
    file: (real) => ({
      write: async (op) => {
        if (op[0] !== "stateBatch") return real.write(op);
        for (const each of op[1]) await real.write(each);
        return op[1].length;
      },
    }),
  },
  {
    lie: "commits a transaction without its checks",
    caughtBy: "a check that does not hold is a conflict, and nothing is written",
    file: writing((op) => (op[0] === "stateTransact" ? [op[0], op[1], [], op[3]] : op)),
  },
  {
    lie: "does the writes of a transaction one after the other",
    caughtBy: "nobody sees half a transaction",
    file: (real) => ({
      write: async (op) => {
        if (op[0] !== "stateTransact") return real.write(op);
        const [name, now, checks, ops] = op;
        const held = await real.write([name, now, checks, []]);
        // As above.
        if (held === true) for (const each of ops) await real.write(each as WriteOp);
        return held;
      },
    }),
  },
  {
    lie: "leaves rows in the outbox by a write of their own, before the transaction they belong to",
    caughtBy: "a transaction that is not committed leaves nothing in the outbox",
    file: (real) => ({
      write: async (op) => {
        if (op[0] !== "stateTransact") return real.write(op);
        const [name, now, checks, ops] = op;
        const rows = ops.filter(([each]) => each === "outboxAdd");
        // As above.
        for (const each of rows) await real.write(each as WriteOp);
        return real.write([name, now, checks, ops.filter((each) => !rows.includes(each))]);
      },
    }),
  },
  {
    lie: "answers a claim without keeping the lease that it gives",
    caughtBy: "of claims at one time none share a row",
    file: writing((op) => {
      if (op[0] !== "outboxClaim") return op;
      const [name, by, now, reach, , limit] = op;
      return [name, by, now, reach, now, limit];
    }),
  },
  {
    lie: "renews a lease from where it began, not from the claim",
    caughtBy: "a claim renews the lease, and one that is over ends it",
    file: (real) => {
      let first: number | undefined;
      return {
        write: (op) => {
          if (op[0] !== "outboxClaim") return real.write(op);
          const [name, by, now, reach, heldUntil, limit] = op;
          return real.write([name, by, now, reach, (first ??= heldUntil), limit]);
        },
      };
    },
  },
  {
    lie: "gives an entry the time to live of nobody when it should keep its own",
    caughtBy: "update keeps the time to live",
    file: setting((op) => (op[8] === "keep" ? changed(op, 8, null) : op)),
  },
  {
    lie: "keeps times to live in whole seconds",
    caughtBy: "an entry is there until its time to live is over and gone from then on",
    file: setting((op) => {
      if (typeof op[8] !== "number") return op;
      return changed(op, 8, Math.ceil(op[8] / 1000 + 1) * 1000);
    }),
  },
  {
    lie: "counts no revision where nobody asked for one in this call",
    caughtBy: "an entry begins at revision 1 and every write counts one more",
    file: setting((op) => changed(op, 2, false)),
  },
  {
    lie: "compares keys without looking at case",
    caughtBy: "keys that look alike are different keys",
    file: (real) => ({
      get: (sql, ...values) =>
        real.get(sql.replaceAll("AND key = ?", "AND key = ? COLLATE NOCASE"), ...values),
    }),
  },
  {
    lie: "draws etags from a source that begins anew with every start",
    caughtBy: "no etag from before a restart is used after it",
    random: () => createSeededRandom(7),
  },
  {
    lie: "opens another file after a restart",
    caughtBy: "values, etags and deletions survive a restart",
    nameOf: (opening) => `state-${opening}.db`,
  },
];

function suiteOf(liar: FileLiar): StateSuite {
  const { file = () => ({}), random, nameOf = () => "state.db" } = liar;
  return {
    name: "a liar",
    capabilities: ["expires", "revisions", "transaction", "outbox", "relay"],
    runs: 5,
    open: async () => {
      const directory = await temporaryDirectory("liar");
      const clock = new FakeClock();
      let openings = 0;
      const open = async () => {
        const path = directory.join(nameOf((openings += 1)));
        const real = await openSqliteFile({ path, clock });
        const honest: SqliteFile = {
          path: real.path,
          medium: real.medium,
          get: (sql, ...values) => real.get(sql, ...values),
          all: (sql, ...values) => real.all(sql, ...values),
          allAside: (sql, ...values) => real.allAside(sql, ...values),
          warmUp: () => real.warmUp(),
          write: (op) => real.write(op),
          backup: (folder, options) => real.backup(folder, options),
          check: () => real.check(),
          close: () => real.close(),
        };
        const options = {
          file: path,
          clock,
          ...(random === undefined ? {} : { random: random() }),
        };
        return createSqliteEngine({ ...honest, ...file(real) }, resolveSqliteOptions(options));
      };
      let engine = await open();
      return {
        engine,
        advance: (ms) => clock.advance(ms),
        restart: async () => {
          await engine.close();
          engine = await open();
          return engine;
        },
        close: async () => {
          await engine.close();
          await directory[Symbol.asyncDispose]();
        },
      };
    },
  };
}

test("over a file that does not lie the same checks hold", async () => {
  const named = new Set(liars.map(({ caughtBy }) => caughtBy));
  const checks = stateChecks.filter(({ name }) => named.has(name));
  assert.equal(checks.length, named.size, "a check that liars name is not there");
  const results = await runStateChecks(suiteOf({ lie: "", caughtBy: "" }), checks);
  assert.deepEqual(
    results.filter(({ kind }) => kind !== "held"),
    [],
  );
});

for (const liar of liars) {
  test(`the law catches a SQLite engine that ${liar.lie}`, async () => {
    const checks = stateChecks.filter(({ name }) => name === liar.caughtBy);
    const [result] = await runStateChecks(suiteOf(liar), checks);
    assert.equal(result?.kind, "broken", `"${liar.caughtBy}" held`);
  });
}
