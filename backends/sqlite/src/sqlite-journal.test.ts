import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { isBanyanError, silentLog } from "@banyan/kernel";
import type { DeadLetter, Message } from "@banyan/messaging";
import type { BusJournal, JournalAppend, JournalEntry } from "@banyan/messaging/internal";
import { temporaryDirectory } from "@banyan/testbed";
import { sqliteErrors } from "./errors.ts";
import { openSqliteFile } from "./sqlite-file.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import { openSqliteJournal } from "./sqlite-journal.ts";

const GROUP = { name: "mailer.welcome", topic: "account.created", retentionMs: undefined };

async function open(path: string): Promise<BusJournal> {
  return openSqliteJournal({ file: await openSqliteFile({ path }), log: silentLog });
}

function messageOf(n: number, fields: Partial<Message> = {}): Message {
  const headers = { source: "account" };
  const id = `message-${n}`;
  return { id, topic: "account.created", timestampMs: 1000.5 + n, body: { n }, headers, ...fields };
}

function appendOf(group: number, seq: number, fields: Partial<Message> = {}): JournalAppend {
  return {
    message: messageOf(seq, fields),
    deliverAtMs: undefined,
    expiresAtMs: undefined,
    groups: [{ group, seq }],
  };
}

function letterOf(id: string, message: Message, fields: Partial<DeadLetter> = {}): DeadLetter {
  return {
    id,
    subscription: GROUP.name,
    delivery: "group",
    message,
    attempts: 6,
    reason: "retries-exhausted",
    error: { kind: "unavailable", code: "TEST", message: "No.", details: { at: 1 } },
    deadAtMs: 5000.25,
    ...fields,
  };
}

function seqsOf(entries: readonly JournalEntry[]): number[] {
  return entries.map(({ seq }) => seq);
}

/** A range of whole numbers, both ends included. */
function from(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}

/** Runs with a journal on a new file; `reopen` is the next run of the node. */
async function withJournal(
  run: (
    journal: BusJournal,
    more: { readonly path: string; reopen(): Promise<BusJournal> },
  ) => Promise<void>,
): Promise<void> {
  await using folder = await temporaryDirectory("journal");
  const path = folder.join("state.db");
  let journal = await open(path);
  try {
    const reopen = async (): Promise<BusJournal> => {
      await journal.close();
      journal = await open(path);
      return journal;
    };
    await run(journal, { path, reopen });
  } finally {
    await journal.close();
  }
}

test("a message is kept with everything it has", () =>
  withJournal(async (journal, { reopen }) => {
    const group = await journal.openGroup(GROUP);
    const full = messageOf(1, {
      body: { text: "ü\u0000\ud800 🎈", list: [1, null, { a: true }], number: 1e-7 },
      headers: { source: "account", principal: "account:1", "x-more": "täglich" },
      orderingKey: "kündigung 1",
    });
    const appends = [
      {
        message: full,
        deliverAtMs: undefined,
        expiresAtMs: 1_735_689_600_000.5,
        groups: [{ group, seq: 7 }],
      },
    ];
    await journal.append([...appends, appendOf(group, 8, { body: null })]);
    const again = await reopen();
    assert.deepEqual(await again.read(group, 0, 10), [
      {
        seq: 7,
        message: full,
        attempt: 0,
        failures: 0,
        retryAtMs: undefined,
        expiresAtMs: 1_735_689_600_000.5,
      },
      {
        seq: 8,
        message: messageOf(8, { body: null, orderingKey: undefined }),
        attempt: 0,
        failures: 0,
        retryAtMs: undefined,
        expiresAtMs: undefined,
      },
    ]);
    assert.equal(again.nextSeq, 9);
  }));

test("a group keeps its id, its topic, its retention and its counts", () =>
  withJournal(async (journal, { reopen }) => {
    const first = await journal.openGroup(GROUP);
    const second = await journal.openGroup({ ...GROUP, name: "audit.all", topic: "#" });
    await journal.append([appendOf(first, 1), appendOf(first, 2), appendOf(second, 3)]);
    await journal.append([{ ...appendOf(first, 4), deliverAtMs: 9000 }]);
    assert.equal(await journal.openGroup({ ...GROUP, retentionMs: 60_000 }), first);
    const again = await reopen();
    assert.deepEqual(again.groups, [
      { ...GROUP, id: first, retentionMs: 60_000, held: 3, delayed: 1 },
      { ...GROUP, id: second, name: "audit.all", topic: "#", held: 1, delayed: 0 },
    ]);
    assert.equal(again.nextSeq, 5);
  }));

test("acknowledged messages are gone, whatever order they came in", () =>
  withJournal(async (journal) => {
    const group = await journal.openGroup(GROUP);
    const other = await journal.openGroup({ ...GROUP, name: "other.one" });
    await journal.append(from(1, 12).map((seq) => appendOf(group, seq)));
    await journal.append(from(1, 4).map((seq) => appendOf(other, seq)));
    for (const seq of [9, 2, 3, 8, 1, 6]) journal.acknowledge(group, seq);
    journal.acknowledge(other, 3);
    assert.equal(journal.unacknowledged, 7);
    while (journal.unacknowledged > 0) await nextTurn();
    assert.deepEqual(seqsOf(await journal.read(group, 0, 100)), [4, 5, 7, 10, 11, 12]);
    assert.deepEqual(seqsOf(await journal.read(other, 0, 100)), [1, 2, 4]);
  }));

test("pages come in order and end", () =>
  withJournal(async (journal) => {
    const group = await journal.openGroup(GROUP);
    await journal.append(from(1, 1500).map((seq) => appendOf(group, seq)));
    assert.deepEqual(seqsOf(await journal.read(group, 0, 3)), [1, 2, 3]);
    assert.deepEqual(seqsOf(await journal.read(group, 3, 1000)), from(4, 1003));
    assert.deepEqual(seqsOf(await journal.read(group, 1003, 1000)), from(1004, 1500));
    assert.deepEqual(await journal.read(group, 1500, 1000), []);
  }));

test("a page of large bodies is shorter, and has at least one", () =>
  withJournal(async (journal) => {
    const group = await journal.openGroup(GROUP);
    const sizes = [3_000_000, 400_000, 400_000, 400_000, 10];
    await journal.append(
      sizes.map((size, index) => appendOf(group, index + 1, { body: "x".repeat(size) })),
    );
    assert.deepEqual(seqsOf(await journal.read(group, 0, 10)), [1]);
    assert.deepEqual(seqsOf(await journal.read(group, 1, 10)), [2, 3]);
    assert.deepEqual(seqsOf(await journal.read(group, 3, 10)), [4, 5]);
  }));

test("progress is kept", () =>
  withJournal(async (journal, { reopen }) => {
    const group = await journal.openGroup(GROUP);
    await journal.append([appendOf(group, 1)]);
    await journal.progress(group, 1, { attempt: 3, failures: 2, retryAtMs: 4000.5 });
    const again = await reopen();
    const [entry] = await again.read(group, 0, 1);
    assert.partialDeepStrictEqual(entry, { attempt: 3, failures: 2, retryAtMs: 4000.5 });
    await again.progress(group, 99, { attempt: 1, failures: 0, retryAtMs: undefined });
    assert.equal((await again.read(group, 0, 9)).length, 1, "what is gone does not come back");
  }));

test("delayed messages wake in the order of their times, at the end of their queues", () =>
  withJournal(async (journal, { reopen }) => {
    const group = await journal.openGroup(GROUP);
    const other = await journal.openGroup({ ...GROUP, name: "other.one" });
    const sleeping = (seq: number, deliverAtMs: number): JournalAppend => ({
      ...appendOf(group, seq),
      deliverAtMs,
    });
    const both = {
      ...sleeping(3, 2000),
      groups: [
        { group, seq: 3 },
        { group: other, seq: 3 },
      ],
    };
    await journal.append([sleeping(1, 3000), sleeping(2, 2500.5), both, appendOf(group, 4)]);
    const again = await reopen();
    assert.equal(await again.nextWakeAtMs(), 2000);
    assert.deepEqual(await again.wake({ nowMs: 1999, limit: 10, seq: 10 }), []);
    assert.deepEqual(await again.wake({ nowMs: 2500.5, limit: 2, seq: 10 }), [
      { group, seq: 10 },
      { group: other, seq: 11 },
    ]);
    assert.deepEqual(await again.wake({ nowMs: 2500.5, limit: 2, seq: 12 }), [{ group, seq: 12 }]);
    assert.equal(await again.nextWakeAtMs(), 3000);
    const entries = await again.read(group, 0, 10);
    assert.deepEqual(
      entries.map(({ seq, message }) => [seq, message.id]),
      [
        [4, "message-4"],
        [10, "message-3"],
        [12, "message-2"],
      ],
    );
    await again.wake({ nowMs: 1e15, limit: 10, seq: 13 });
    assert.equal(await again.nextWakeAtMs(), undefined);
  }));

test("a dead letter is kept whole, and its message leaves the queue", () =>
  withJournal(async (journal, { reopen }) => {
    const group = await journal.openGroup(GROUP);
    await journal.append([appendOf(group, 1), appendOf(group, 2)]);
    const dead = letterOf("letter-1", messageOf(1, { orderingKey: undefined }));
    const broadcast = letterOf("letter-2", messageOf(3, { orderingKey: "k" }), {
      delivery: "broadcast",
      reason: "final-error",
      subscription: "cache.refresh",
    });
    await journal.bury(dead, { group, seq: 1 });
    await journal.bury(broadcast, undefined);
    const again = await reopen();
    assert.equal(again.deadLetterCount, 2);
    assert.deepEqual(seqsOf(await again.read(group, 0, 10)), [2]);
    assert.deepEqual(await again.letter("letter-1"), dead);
    assert.deepEqual(await again.letter("letter-9"), undefined);
    assert.deepEqual(await again.letters({}), { letters: [dead, broadcast], next: undefined });
    const ofCache = await again.letters({ subscription: "cache.refresh" });
    assert.deepEqual(ofCache, { letters: [broadcast], next: undefined });
  }));

test("a letter whose error details are no JSON is kept without them", () =>
  withJournal(async (journal) => {
    const error = { kind: "internal", code: "X", message: "m", details: { big: 1n } } as const;
    await journal.bury(letterOf("a", messageOf(1), { error }), undefined);
    const kept = await journal.letter("a");
    assert.deepEqual(kept?.error, { kind: "internal", code: "X", message: "m" });
  }));

test("dead letters come in pages, also of large ones", () =>
  withJournal(async (journal) => {
    const ids = from(1001, 2000).map((n) => `letter-${n}`);
    await Promise.all(ids.map((id, n) => journal.bury(letterOf(id, messageOf(n)), undefined)));
    const first = await journal.letters({ limit: 999 });
    assert.deepEqual([first.letters.length, first.next], [999, "letter-1999"]);
    const rest = await journal.letters({ limit: 999, after: first.next });
    assert.deepEqual([rest.letters.length, rest.next], [1, undefined]);
    await journal.dropOldestLetters(998);
    const left = await journal.letters({});
    assert.deepEqual(
      left.letters.map(({ id }) => id),
      ["letter-1999", "letter-2000"],
    );
    const large = messageOf(1, { body: "x".repeat(900_000) });
    await journal.bury(letterOf("letter-3", large), undefined);
    await journal.bury(letterOf("letter-4", large), undefined);
    const page = await journal.letters({ limit: 4, after: "letter-2000" });
    assert.deepEqual([page.letters.length, page.next], [1, "letter-3"]);
  }));

test("a redriven letter is a message again, with a fresh count, and only once", () =>
  withJournal(async (journal) => {
    const group = await journal.openGroup(GROUP);
    await journal.append([appendOf(group, 1)]);
    await journal.bury(letterOf("a", messageOf(1)), { group, seq: 1 });
    assert.equal(await journal.redrive("a", { group, seq: 2 }), true);
    assert.equal(await journal.redrive("a", { group, seq: 3 }), false);
    const entries = await journal.read(group, 0, 10);
    assert.partialDeepStrictEqual(entries, [{ seq: 2, attempt: 0, message: { body: { n: 1 } } }]);
    assert.equal(entries.length, 1);
    await journal.bury(letterOf("b", messageOf(1)), { group, seq: 2 });
    assert.equal(await journal.discard(["a", "b", "c"]), 1);
    assert.deepEqual(await journal.letters({}), { letters: [], next: undefined });
  }));

test("what is older than the retention goes, a limited number at a time", () =>
  withJournal(async (journal) => {
    const group = await journal.openGroup({ ...GROUP, retentionMs: 1000 });
    await journal.append(from(1, 5).map((seq) => appendOf(group, seq)));
    assert.equal(await journal.expire(group, { beforeMs: 1003.5, limit: 1 }), 1);
    assert.equal(await journal.expire(group, { beforeMs: 1003.5, limit: 10 }), 1);
    assert.equal(await journal.expire(group, { beforeMs: 1003.5, limit: 10 }), 0);
    assert.deepEqual(seqsOf(await journal.read(group, 0, 10)), [3, 4, 5]);
  }));

test("a retention counts from when a message was woken or redriven", () =>
  withJournal(async (journal) => {
    const group = await journal.openGroup({ ...GROUP, retentionMs: 1000 });
    await journal.append([{ ...appendOf(group, 1), deliverAtMs: 900_000 }]);
    await journal.wake({ nowMs: 1_000_000, limit: 10, seq: 3 });
    await journal.bury(letterOf("a", messageOf(2)), undefined);
    assert.equal(await journal.redrive("a", { group, seq: 4 }), true);
    assert.equal(await journal.expire(group, { beforeMs: 1_000_000, limit: 10 }), 0);
    assert.equal(await journal.expire(group, { beforeMs: 1_000_001, limit: 10 }), 1);
    assert.deepEqual(seqsOf(await journal.read(group, 0, 10)), [4], "redriven just now");
  }));

test("what is past the retention goes wherever it stands, if not in the first sweep", () =>
  withJournal(async (journal) => {
    const group = await journal.openGroup({ ...GROUP, retentionMs: 1000 });
    const old = (seq: number): boolean => [2, 700, 6000, 12_000].includes(seq);
    const appends = from(1, 12_000).map((seq) =>
      appendOf(group, seq, { timestampMs: old(seq) ? 0 : 5000 }),
    );
    await journal.append(appends);
    const counts = [];
    for (let sweep = 0; sweep < 4; sweep += 1) {
      counts.push(await journal.expire(group, { beforeMs: 5000, limit: 500 }));
    }
    // The front with the first rows behind it, then further on, 5000 rows each time.
    assert.deepEqual(counts, [2, 1, 1, 0]);
    assert.equal((await journal.read(group, 0, 20_000)).length, 11_996);
  }));

test("a journal that closes beside an engine has everything in the file", () =>
  withJournal(async (journal, { path, reopen }) => {
    const engine = await openSqliteFile({ path });
    const group = await journal.openGroup(GROUP);
    await journal.append(from(1, 100).map((seq) => appendOf(group, seq)));
    for (const seq of from(1, 99)) journal.acknowledge(group, seq);
    const late = journal.append([appendOf(group, 101)]);
    const again = await reopen();
    assert.equal(journal.unacknowledged, 0);
    assert.equal(again.nextSeq, 102);
    assert.deepEqual(seqsOf(await again.read(group, 0, 200)), [100, 101]);
    await late;
    await engine.close();
  }));

test("a removed group is gone with all it held, and its id is not used again", () =>
  withJournal(async (journal, { path, reopen }) => {
    const group = await journal.openGroup(GROUP);
    const other = await journal.openGroup({ ...GROUP, name: "other.one" });
    await journal.append(from(1, 2500).map((seq) => appendOf(group, seq)));
    await journal.append([{ ...appendOf(group, 2501), deliverAtMs: 1 }, appendOf(other, 1)]);
    await journal.removeGroup(group);
    const again = await reopen();
    assert.deepEqual(
      again.groups.map(({ id, held }) => [id, held]),
      [[other, 1]],
    );
    assert.deepEqual(await again.wake({ nowMs: 1e15, limit: 10, seq: 5000 }), []);
    const fresh = await again.openGroup(GROUP);
    assert(fresh > other);
    assert.deepEqual(await again.read(fresh, 0, 10), []);
    await again.close();
    assert.equal(countOf(path, "bus_queue"), 1, "the rest went after the start, in bites");
  }));

test("a row that is no message any more says so, and its neighbours are whole", () =>
  withJournal(async (journal, { path, reopen }) => {
    const group = await journal.openGroup(GROUP);
    await journal.append(from(1, 4).map((seq) => appendOf(group, seq)));
    const database = new DatabaseSync(path);
    database.exec("UPDATE bus_queue SET body = '{\"n\":' WHERE seq = 2");
    database.exec("UPDATE bus_queue SET headers = '[]' WHERE seq = 3");
    database.close();
    const again = await reopen();
    const entries = await again.read(group, 0, 10);
    assert.deepEqual(
      entries.map(({ message: { body }, damage }) => [body, isBanyanError(damage)]),
      [
        [{ n: 1 }, false],
        ['{"n":', true],
        [{ n: 3 }, true],
        [{ n: 4 }, false],
      ],
    );
    assert.match(entries[1]?.damage?.message ?? "", /holds message "message-2" of group/);
  }));

test("a failed write says what is wrong, and changes nothing", () =>
  withJournal(async (journal) => {
    const group = await journal.openGroup(GROUP);
    await journal.append([appendOf(group, 1)]);
    const twice = journal.append([appendOf(group, 2), appendOf(group, 1)]);
    await assert.rejects(twice, { code: "MESSAGING_UNAVAILABLE" });
    assert.deepEqual(seqsOf(await journal.read(group, 0, 10)), [1], "all or none");
  }));

test("what the file cannot tell the bus cannot tell either", async () => {
  await using folder = await temporaryDirectory("journal");
  const file = await openSqliteFile({ path: folder.join("state.db") });
  let failure: Error | undefined = undefined;
  const failing: SqliteFile = {
    ...methodsOf(file),
    write: (op) => (failure === undefined ? file.write(op) : Promise.reject(failure)),
  };
  const journal = await openSqliteJournal({ file: failing, log: silentLog });
  const group = await journal.openGroup(GROUP);
  await journal.append([appendOf(group, 1), appendOf(group, 2)]);
  failure = sqliteErrors.SQLITE_OUTCOME_UNKNOWN("The disk did not answer.");
  await assert.rejects(journal.append([appendOf(group, 3)]), { code: "MESSAGING_OUTCOME_UNKNOWN" });
  journal.acknowledge(group, 1);
  failure = sqliteErrors.SQLITE_DISK_FULL("The disk is full.");
  const full = journal.wake({ nowMs: 1e15, limit: 1, seq: 9 });
  await assert.rejects(full, ({ code, message }) => {
    assert.equal(code, "MESSAGING_UNAVAILABLE");
    assert.match(message, /The disk is full\./);
    return true;
  });
  await journal.close();
  assert.equal(journal.takesWrites, false);
  assert.equal(journal.unacknowledged, 1);
});

test("a file has one bus", () =>
  withJournal(async (journal, { path }) => {
    await assert.rejects(open(path), { code: "SQLITE_BUS_OPEN" });
    const group = await journal.openGroup(GROUP);
    await journal.append([appendOf(group, 1)]);
    assert.equal((await journal.read(group, 0, 10)).length, 1);
  }));

function methodsOf(file: SqliteFile): SqliteFile {
  return {
    path: file.path,
    medium: file.medium,
    get: (sql, ...values) => file.get(sql, ...values),
    all: (sql, ...values) => file.all(sql, ...values),
    allAside: (sql, ...values) => file.allAside(sql, ...values),
    warmUp: () => file.warmUp(),
    write: (op) => file.write(op),
    backup: (to, options) => file.backup(to, options),
    check: () => file.check(),
    close: () => file.close(),
  };
}

function countOf(path: string, table: string): unknown {
  const database = new DatabaseSync(path);
  try {
    return database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.["count"];
  } finally {
    database.close();
  }
}
