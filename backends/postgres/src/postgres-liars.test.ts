/**
 * The law over PostgreSQL engines that lie: each has the real engine and a real server, and one
 * mistake in what goes to the table or comes from it. The law must break on every one.
 */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createSeededRandom } from "@banyan/kernel";
import { runStateChecks, stateChecks } from "@banyan/state/conformance";
import type { StateSuite } from "@banyan/state/conformance";
import type { TableChanges, TableDatabase, TableRow, TableWriter } from "@banyan/state/internal";
import { FakeClock, findReasonToSkip, openPostgres, postgresPrograms } from "@banyan/testbed";
import { resolvePostgresOptions } from "./options.ts";
import type { PostgresOptions } from "./options.ts";
import { openPostgresDatabase } from "./postgres-database.ts";
import { createPostgresEngine } from "./postgres-engine.ts";

type ChangedDatabase = (real: TableDatabase) => Partial<TableDatabase>;

interface TableLiar {
  readonly lie: string;
  readonly caughtBy: string;
  /** What differs from the real database. */
  readonly database?: ChangedDatabase;
  readonly options?: (opening: number) => Partial<PostgresOptions>;
}

/** A database whose writer differs. */
function writing(change: (real: TableWriter) => Partial<TableWriter>): ChangedDatabase {
  return (real) => ({
    connectWriter: async () => {
      const writer = await real.connectWriter();
      const honest: TableWriter = {
        get isUsable() {
          return writer.isUsable;
        },
        lock: (keys) => writer.lock(keys),
        commit: (changes) => writer.commit(changes),
        undo: () => writer.undo(),
        destroy: () => writer.destroy(),
      };
      return Object.assign(honest, change(writer));
    },
  });
}

/** Every row that is written, changed. */
function rows(change: (row: TableRow) => TableRow): ChangedDatabase {
  return writing((real) => ({
    commit: ({ inserts, updates, ...others }) =>
      real.commit({ inserts: inserts.map(change), updates: updates.map(change), ...others }),
  }));
}

const none: TableChanges = { inserts: [], updates: [], deletes: [], letters: [] };

const liars: readonly TableLiar[] = [
  {
    lie: "acknowledges what it then rolls back",
    caughtBy: "what was set is got, with the etag that set returned",
    database: writing((real) => ({
      commit: async () => {
        await real.undo();
        return "committed";
      },
    })),
  },
  {
    lie: "holds conditions against etags of its own",
    caughtBy: "ifMatch writes over the etag it names and over no other",
    database: writing((real) => ({
      lock: async (keys) => (await real.lock(keys)).map((row) => ({ ...row, etag: "mine" })),
    })),
  },
  {
    lie: "writes a batch row by row",
    caughtBy: "nobody sees half a batch",
    database: writing((real) => ({
      commit: async ({ inserts, updates, deletes }) => {
        const parts = [
          ...inserts.map((row) => ({ ...none, inserts: [row] })),
          ...updates.map((row) => ({ ...none, updates: [row] })),
          ...deletes.map((key) => ({ ...none, deletes: [key] })),
        ];
        for (const [at, part] of parts.entries()) {
          if (at > 0) await real.lock([...part.inserts, ...part.updates, ...part.deletes]);
          await real.commit(part);
        }
        return "committed";
      },
    })),
  },
  {
    lie: "forgets deletions",
    caughtBy: "delete says whether something was there, and then it is gone",
    database: writing((real) => ({
      commit: (changes) => real.commit({ ...changes, deletes: [] }),
    })),
  },
  {
    lie: "gives an entry the time to live of nobody",
    caughtBy: "update keeps the time to live",
    database: rows((row) => ({ ...row, expiresAt: null })),
  },
  {
    lie: "keeps times to live in whole seconds",
    caughtBy: "an entry is there until its time to live is over and gone from then on",
    database: rows((row) => {
      if (row.expiresAt === null) return row;
      return { ...row, expiresAt: Math.ceil(row.expiresAt / 1000 + 1) * 1000 };
    }),
  },
  {
    lie: "counts no revisions",
    caughtBy: "an entry begins at revision 1 and every write counts one more",
    database: rows((row) => ({ ...row, revision: null })),
  },
  {
    lie: "keeps one etag for all",
    caughtBy: "every write gets an etag that no write had before",
    database: rows((row) => ({ ...row, etag: "same" })),
  },
  {
    lie: "compares keys without looking at case",
    caughtBy: "keys that look alike are different keys",
    database: (real) => ({
      read: (keys) => real.read(keys.map(({ store, key }) => ({ store, key: key.toLowerCase() }))),
    }),
  },
  {
    lie: "puts pages in the order of JavaScript",
    caughtBy: "a scan comes in the order of the keys' UTF-8 bytes",
    database: (real) => ({
      scan: async (scan) =>
        (await real.scan(scan)).toSorted((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key))),
    }),
  },
  {
    lie: "shows what has expired in its pages",
    caughtBy: "every method agrees that an expired entry is gone",
    database: (real) => ({ scan: (scan) => real.scan({ ...scan, now: 0 }) }),
  },
  {
    lie: "has one store for all names of a scope",
    caughtBy: "two stores never see each other's keys",
    database: (real) => ({ openStore: (scope) => real.openStore(scope, "one") }),
  },
  {
    lie: "draws etags from a source that begins anew with every start",
    caughtBy: "no etag from before a restart is used after it",
    options: () => ({ random: createSeededRandom(7) }),
  },
  {
    lie: "commits a transaction without what it leaves in the outbox",
    caughtBy: "rows of the outbox are committed with their transaction, in their order",
    database: writing((real) => ({
      commit: (changes) => real.commit({ ...changes, letters: [] }),
    })),
  },
  {
    lie: "takes every lease of the outbox for over",
    caughtBy: "what was committed is its process's to relay until the lease is over",
    database: (real) => ({
      outbox: { ...real.outbox, claim: (claim) => real.outbox.claim({ ...claim, now: 1e15 }) },
    }),
  },
  {
    lie: "opens other tables after a restart",
    caughtBy: "values, etags and deletions survive a restart",
    options: (opening) => ({ tablePrefix: `t${opening}_` }),
  },
];

const skip = await findReasonToSkip(postgresPrograms);

function describeLiars(url: string): void {
  let suites = 0;

  const suiteOf = ({ database = () => ({}), options = () => ({}) }: TableLiar): StateSuite => ({
    name: "a liar",
    capabilities: ["expires", "revisions", "transaction", "outbox", "relay"],
    runs: 5,
    open: async () => {
      const schema = `liar_${(suites += 1)}`;
      const clock = new FakeClock();
      let openings = 0;
      const open = async () => {
        const more = options((openings += 1));
        const resolved = resolvePostgresOptions({ url, schema, clock, time: "node", ...more });
        const real = await openPostgresDatabase(resolved);
        const honest: TableDatabase = {
          place: real.place,
          valueBytesMax: real.valueBytesMax,
          outbox: real.outbox,
          openStore: (scope, name) => real.openStore(scope, name),
          read: (keys) => real.read(keys),
          scan: (scan) => real.scan(scan),
          count: (store, now) => real.count(store, now),
          sweep: (now, limit) => real.sweep(now, limit),
          nowMs: () => real.nowMs(),
          check: () => real.check(),
          connectWriter: () => real.connectWriter(),
          close: () => real.close(),
        };
        return createPostgresEngine({ ...honest, ...database(real) }, resolved);
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
        close: () => engine.close(),
      };
    },
  });

  test("over a table that does not lie the same checks hold", async () => {
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
    test(`the law catches a PostgreSQL engine that ${liar.lie}`, async () => {
      const checks = stateChecks.filter(({ name }) => name === liar.caughtBy);
      const [result] = await runStateChecks(suiteOf(liar), checks);
      assert.equal(result?.kind, "broken", `"${liar.caughtBy}" held`);
    });
  }
}

if (skip === false) {
  const server = await openPostgres();
  after(() => server[Symbol.asyncDispose]());
  describeLiars(server.url);
} else {
  test("the law catches PostgreSQL engines that lie", { skip }, () => undefined);
}
