/**
 * The promise of "embedded", as a whole: a node writes, moves money, publishes and handles events
 * under load, tells what was acknowledged, and is killed with SIGKILL at random moments, again and
 * again on the same directory. Run with arguments, this file is that node.
 *
 * After each kill: what was acknowledged is there; nothing is half done; money is neither made nor
 * lost; every event is handled, and those handled with `once` took effect exactly once.
 *
 * `BANYAN_TEST_KILLS` sets the number of kills, `BANYAN_TEST_SEED` repeats a run.
 */

import assert from "node:assert/strict";
import { writeSync } from "node:fs";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { setTimeout as realSleep } from "node:timers/promises";
import { openNode } from "@banyan/host";
import type { Node } from "@banyan/host";
import { defineContract, defineService, on, t } from "@banyan/kernel";
import type { Client } from "@banyan/kernel";
import { openDataDirectory } from "@banyan/sqlite";
import { seedOf, spawnNode, temporaryDirectory } from "@banyan/testbed";
import { createEngineFinder } from "./engines.ts";

const KILLS = Number(process.env["BANYAN_TEST_KILLS"] ?? 100);
const ACCOUNTS = 8;
const OPENING_BALANCE = 1000;
const WORKERS = 8;

const joined = ["transaction", "outbox"] as const;
const counted = t.Object({ n: t.Integer() });

const bank = defineContract("bank", {
  summary: "Keeps accounts, and whatever it is given.",
  version: "1.0.0",
  stores: {
    things: { durability: "durable", value: counted },
    accounts: {
      durability: "durable",
      value: t.Object({ balance: t.Integer() }),
      capabilities: joined,
    },
    transfers: { durability: "durable", value: counted, capabilities: joined },
  },
  events: { moved: t.Object({ id: t.String() }), noted: t.Object({ id: t.String() }) },
  operations: {
    open: { summary: "Open the accounts, once." },
    put: { summary: "Keep a thing.", request: t.Object({ key: t.String(), n: t.Integer() }) },
    batch: {
      summary: "Keep three things.",
      request: t.Object({ key: t.String(), n: t.Integer() }),
    },
    count: { summary: "Count up." },
    move: {
      summary: "Move one unit from one account to another, and tell of it.",
      request: t.Object({ id: t.String(), from: t.Integer(), to: t.Integer() }),
    },
    note: { summary: "Only tell.", request: t.Object({ id: t.String() }) },
    look: {
      summary: "What there is of these keys, and the sums.",
      request: t.Object({ keys: t.Array(t.String()) }),
      response: t.Object({
        found: t.Record(t.String(), t.Integer()),
        counted: t.Integer(),
        money: t.Integer(),
        transfers: t.Integer(),
      }),
    },
  },
});

const auditor = defineContract("auditor", {
  summary: "Hears of everything.",
  version: "1.0.0",
  stores: {
    effects: { durability: "durable", value: counted, capabilities: joined },
    notes: { durability: "durable", value: counted },
  },
  subscriptions: { onMoved: on(bank, "moved"), onNoted: on(bank, "noted") },
  operations: {
    look: {
      summary: "How many transfers took effect, and which of these ids were heard.",
      request: t.Object({ moves: t.Array(t.String()), notes: t.Array(t.String()) }),
      response: t.Object({
        effects: t.Integer(),
        moves: t.Array(t.Integer()),
        notes: t.Integer(),
      }),
    },
  },
});

const bankService = defineService(bank, ({ stores, transaction, publish }) => ({
  operations: {
    async open() {
      await Promise.all(
        Array.from({ length: ACCOUNTS }, (_, index) =>
          stores.accounts.update(`${index}`, (now) => now ?? { balance: OPENING_BALANCE }),
        ),
      );
    },
    async put({ key, n }) {
      await stores.things.set(key, { n });
    },
    async batch({ key, n }) {
      await stores.things.setMany([1, 2, 3].map((part) => [`${key}-${part}`, { n }] as const));
    },
    async count() {
      await stores.things.update("count", (now) => ({ n: (now?.n ?? 0) + 1 }));
    },
    async move({ id, from, to }) {
      await transaction(async (tx) => {
        const add = (amount: number) => (now?: { readonly balance: number }) => ({
          balance: (now?.balance ?? 0) + amount,
        });
        await tx.stores.accounts.update(`${from}`, add(-1));
        await tx.stores.accounts.update(`${to}`, add(1));
        await tx.stores.transfers.update("count", (now) => ({ n: (now?.n ?? 0) + 1 }));
        tx.publish("moved", { id });
      });
    },
    async note({ id }) {
      await publish("noted", { id });
    },
    async look({ keys }) {
      const entries = await stores.things.getMany(keys);
      const accounts = await stores.accounts.scan();
      return {
        found: Object.fromEntries(entries.map(({ key, value }) => [key, value.n])),
        counted: (await stores.things.get("count"))?.n ?? 0,
        money: accounts.entries.reduce((sum, { value }) => sum + value.balance, 0),
        transfers: (await stores.transfers.get("count"))?.n ?? 0,
      };
    },
  },
}));

const auditorService = defineService(auditor, ({ stores, once, random }) => ({
  subscriptions: {
    async onMoved(event) {
      // Some fail before and some after: both come again.
      const chance = random.next();
      if (chance < 0.02) throw new Error("before");
      await once(event, async (tx) => {
        await tx.stores.effects.update(event.id, (now) => ({ n: (now?.n ?? 0) + 1 }));
        await tx.stores.effects.update("count", (now) => ({ n: (now?.n ?? 0) + 1 }));
      });
      if (chance > 0.98) throw new Error("after");
    },
    async onNoted({ id }) {
      await stores.notes.update(id, (now) => ({ n: (now?.n ?? 0) + 1 }));
    },
  },
  operations: {
    async look({ moves, notes }) {
      // The count first: whatever it counts is there to be found afterwards.
      const took = (await stores.effects.get("count"))?.n ?? 0;
      const effects = await stores.effects.getMany(moves);
      return {
        effects: took,
        moves: effects.map(({ value }) => value.n),
        notes: (await stores.notes.getMany(notes)).length,
      };
    },
  },
}));

const [, , path, round] = process.argv;
if (path === undefined || round === undefined) describeKills();
else await workForEver(path, round);

function open(directory: string): Promise<Node> {
  const set = (pointer: string, value: unknown) => ({ pointer, value, flag: "test" });
  return openNode({
    services: [bankService, auditorService],
    directory: () => openDataDirectory(directory),
    findEngine: createEngineFinder(import.meta.dirname),
    config: { flags: [set("/http/enabled", false), set("/log/level", "silent")] },
  });
}

async function workForEver(directory: string, name: string): Promise<void> {
  const node = await open(directory);
  const client = node.client(bank);
  await client.open({});
  tell("ready");
  await Promise.all(
    Array.from({ length: WORKERS }, (_, worker) => work(client, `${name}.${worker}`)),
  );
}

/** Five kinds of work in turn; each is told when it was acknowledged. */
async function work(client: Client<typeof bank>, name: string): Promise<void> {
  for (let n = 1; ; n += 1) {
    const key = `${name}.${n}`;
    await client.put({ key, n });
    tell(`put ${key} ${n}`);
    await client.batch({ key, n });
    tell(`batch ${key} ${n}`);
    await client.count({});
    tell("count");
    const [from, to] = [n % ACCOUNTS, (n * 3 + 1) % ACCOUNTS];
    await client.move({ id: key, from, to: from === to ? (to + 1) % ACCOUNTS : to });
    tell(`move ${key}`);
    await client.note({ id: key });
    tell(`note ${key}`);
  }
}

/**
 * Past `process.stdout`, which buffers in this process what a busy reader has no room for: what is
 * told is in the kernel's hands when the next thing begins, and survives the kill.
 */
function tell(line: string): void {
  writeSync(1, `${line}\n`);
}

function describeKills(): void {
  const patience = { timeout: KILLS * 10_000 };
  test(`${KILLS} kills of a node under load lose nothing and do nothing twice`, patience, run);

  async function run(context: TestContext): Promise<void> {
    const seed = seedOf();
    await using folder = await temporaryDirectory("kill-loop");
    const directory = folder.join("data");
    const sums = { writes: 0, counts: 0, moves: 0, notes: 0 };
    for (let kill = 1; kill <= KILLS; kill += 1) {
      await using child = spawnNode(import.meta.filename, [directory, `r${kill}`]);
      await child.waitForLine(/^ready$/);
      await child.killAtRandom({ seed: seed + kill, minMs: 1, maxMs: 150 });
      const told = child.lines.map(({ text }) => text.split(" "));
      const after = await verify(directory, told, sums.counts);
      sums.counts = after.counted;
      sums.writes += told.filter(([what]) => what === "put" || what === "batch").length;
      sums.moves += told.filter(([what]) => what === "move").length;
      sums.notes += told.filter(([what]) => what === "note").length;
    }
    context.diagnostic(
      `seed ${seed}: ${KILLS} kills; acknowledged and found: ${sums.writes} writes, ` +
        `${sums.counts} counts, ${sums.moves} transactions with their events, ${sums.notes} events`,
    );
    assert(sums.moves > 0 && sums.notes > 0, "no child did anything before it was killed");
  }
}

/** Starts the node once more, lets it handle what is left, and looks at everything. */
async function verify(
  directory: string,
  told: readonly (readonly string[])[],
  countedBefore: number,
): Promise<{ readonly counted: number }> {
  await using node = await open(directory);
  const keysOf = (kind: string): string[] =>
    told.flatMap(([what, key = ""]) => (what === kind ? [key] : []));
  const puts = keysOf("put");
  const batches = keysOf("batch");
  const parts = batches.flatMap((key) => [1, 2, 3].map((part) => `${key}-${part}`));
  const found: Record<string, number> = {};
  let last: Awaited<ReturnType<Client<typeof bank>["look"]>> | undefined;
  for (const keys of pagesOf([...puts, ...parts])) {
    last = await node.client(bank).look({ keys });
    Object.assign(found, last.found);
  }
  assert(last !== undefined);
  const expected = told.flatMap(([what, key = "", n = ""]): [string, number][] => {
    if (what === "put") return [[key, Number(n)]];
    return what === "batch" ? [1, 2, 3].map((part) => [`${key}-${part}`, Number(n)]) : [];
  });
  assert.deepEqual(found, Object.fromEntries(expected), "acknowledged writes");
  assert.equal(last.money, ACCOUNTS * OPENING_BALANCE, "money was made or lost");
  const counts = told.filter(([what]) => what === "count").length;
  assert(last.counted >= countedBefore + counts, "an acknowledged count is missing");
  assert(
    last.counted <= countedBefore + counts + WORKERS,
    `counted twice: ${last.counted}, though only ${counts} were told since ${countedBefore}`,
  );
  await heard(node, { moves: keysOf("move"), notes: keysOf("note"), transfers: last.transfers });
  return { counted: last.counted };
}

interface Expected {
  readonly moves: readonly string[];
  readonly notes: readonly string[];
  /** Committed transfers since the beginning, told or not: each has its event. */
  readonly transfers: number;
}

async function heard(node: Node, { moves, notes, transfers }: Expected): Promise<void> {
  const client = node.client(auditor);
  const look = async () => {
    const pages = Math.max(pagesOf(moves).length, pagesOf(notes).length);
    const answers = [];
    for (let page = 0; page < pages; page += 1) {
      const [m = [], n = []] = [pagesOf(moves)[page], pagesOf(notes)[page]];
      answers.push(await client.look({ moves: m, notes: n }));
    }
    return {
      effects: answers[0]?.effects ?? 0,
      moves: answers.flatMap((answer) => answer.moves),
      notes: answers.reduce((sum, answer) => sum + answer.notes, 0),
    };
  };
  const isDone = (seen: Awaited<ReturnType<typeof look>>): boolean =>
    seen.effects >= transfers && seen.notes >= notes.length;
  let seen = await look();
  for (let tries = 0; tries < 500 && !isDone(seen); tries += 1) {
    await realSleep(20);
    seen = await look();
  }
  assert.equal(seen.effects, transfers, "committed transfers and their effects");
  assert.deepEqual(
    seen.moves,
    moves.map(() => 1),
    "each acknowledged move had one effect",
  );
  assert.equal(seen.notes, notes.length, "published events that were handled");
}

/** Never empty, so that the sums are looked at even if nothing was told. */
function pagesOf(keys: readonly string[]): string[][] {
  const pages = [keys.slice(0, 900)];
  for (let from = 900; from < keys.length; from += 900) pages.push(keys.slice(from, from + 900));
  return pages;
}
