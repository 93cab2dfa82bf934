import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { after, describe, test } from "node:test";
import { silentLog } from "@banyan/kernel";
import type { Bus, DeadLetter, Delivery, OutgoingMessage } from "@banyan/messaging";
import {
  describeBus,
  findBrokenChecks,
  lawFor,
  openJournaled,
  TestDisk,
} from "@banyan/messaging/conformance";
import type { BusHarness, BusSubject } from "@banyan/messaging/conformance";
import { localBusCapabilities, openLocalBus } from "@banyan/messaging/internal";
import { busLiars } from "@banyan/messaging/liars";
import type { CommitRider } from "@banyan/state";
import { FakeClock, temporaryDirectory } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";
import { openSqlite } from "./sqlite-engine.ts";
import { openSqliteFile } from "./sqlite-file.ts";
import type { SqliteFile } from "./sqlite-file.ts";
import { openSqliteJournal } from "./sqlite-journal.ts";

const capabilities = [...localBusCapabilities];

/**
 * A folder with a bus, in a time of its own that stands still while the threads of the file work.
 */
class Bench {
  readonly clock = new FakeClock();
  readonly told: DeadLetter[] = [];
  readonly #folder: TemporaryDirectory;
  #underWay = 0;

  constructor(folder: TemporaryDirectory) {
    this.#folder = folder;
  }

  get path(): string {
    return this.#folder.join("state.db");
  }

  async openBus(): Promise<Bus> {
    const file = this.#watched(await openSqliteFile({ path: this.path }));
    const journal = await openSqliteJournal({ file, log: silentLog, clock: this.clock });
    const onDeadLetter = (letter: DeadLetter): void => void this.told.push(letter);
    return openLocalBus({ name: "sqlite", journal, clock: this.clock, onDeadLetter });
  }

  async advance(ms: number): Promise<void> {
    const { clock } = this;
    const target = clock.monotonicMs() + ms;
    await this.#settle();
    for (;;) {
      const dueMs = clock.pending[0]?.dueMs ?? Infinity;
      await clock.advanceTo(Math.min(dueMs, target));
      await this.#settle();
      if (dueMs >= target) return;
    }
  }

  /** Time stands still until it is done. */
  async working<T>(promise: Promise<T>): Promise<T> {
    this.#underWay += 1;
    try {
      return await promise;
    } finally {
      this.#underWay -= 1;
    }
  }

  async remove(): Promise<void> {
    await this.#folder[Symbol.asyncDispose]();
  }

  async #settle(): Promise<void> {
    do await this.clock.settle();
    while (this.#underWay > 0);
  }

  #watched(file: SqliteFile): SqliteFile {
    return {
      path: file.path,
      medium: file.medium,
      get: (sql, ...values) => file.get(sql, ...values),
      all: (sql, ...values) => file.all(sql, ...values),
      allAside: (sql, ...values) => this.working(file.allAside(sql, ...values)),
      warmUp: () => file.warmUp(),
      write: (op) => this.working(file.write(op)),
      backup: (folder, options) => file.backup(folder, options),
      check: () => this.working(file.check()),
      close: () => this.working(file.close()),
    };
  }
}

const benches: Bench[] = [];

after(async () => {
  for (const bench of benches) await bench.remove();
});

async function makeBench(): Promise<Bench> {
  const bench = new Bench(await temporaryDirectory("bus"));
  benches.push(bench);
  return bench;
}

async function harnessOn(bench: Bench, wrap: (honest: Bus) => Bus): Promise<BusHarness> {
  const honest = await bench.working(bench.openBus());
  return {
    bus: wrap(honest),
    told: bench.told,
    nowMs: () => bench.clock.monotonicMs(),
    wallMs: () => bench.clock.nowMs(),
    advance: (ms) => bench.advance(ms),
    commit: (riders) => bench.working(commitWithEngine(bench.path, riders)),
    restart: async () => {
      await bench.working(honest.close({ drainMs: 0 }));
      return harnessOn(bench, wrap);
    },
  };
}

/** By an engine on the same file, with nothing of its own to write. */
async function commitWithEngine(file: string, riders: readonly CommitRider[]): Promise<void> {
  await using engine = await openSqlite({ file });
  const outcome = await engine.transact?.({ checks: [], changes: [], riders });
  assert.deepEqual(outcome, { kind: "committed" });
}

function subjectOf(name: string, wrap: (honest: Bus) => Bus = (honest) => honest): BusSubject {
  const open = async (): Promise<BusHarness> => harnessOn(await makeBench(), wrap);
  return { name, capabilities, restarts: true, open };
}

function memorySubject(name: string, wrap: (honest: Bus) => Bus): BusSubject {
  const open = async (): Promise<BusHarness> => {
    const clock = new FakeClock();
    return openJournaled(new TestDisk({ clock }), clock, wrap);
  };
  return { name, capabilities, restarts: true, open };
}

describeBus(subjectOf("SQLite bus"));

describe("the law of a bus, on SQLite", () => {
  for (const liar of busLiars) {
    test(`catches a bus that ${liar.name}`, async () => {
      // What catches it in memory is what is tried here, where every check starts a thread.
      const inMemory = memorySubject(liar.name, liar.wrap);
      const onFile = subjectOf(liar.name, liar.wrap);
      for (const check of lawFor(onFile)) {
        if ((await findBrokenChecks(inMemory, [check])).length === 0) continue;
        if ((await findBrokenChecks(onFile, [check])).length > 0) return;
      }
      assert.fail("the whole law held");
    });
  }
});

const GROUP = { name: "mailer.welcome", topic: "account.created", delivery: "group" } as const;

function eventOf(id: string, fields: Partial<OutgoingMessage> = {}): OutgoingMessage {
  const headers = { source: "account" };
  return { id, topic: GROUP.topic, timestampMs: 1000, body: { id }, headers, ...fields };
}

/** A handler that remembers what it was given: id and attempt. */
function recorder(fails: (delivery: Delivery) => boolean = () => false): {
  readonly seen: string[];
  readonly handler: (delivery: Delivery) => void;
} {
  const seen: string[] = [];
  const handler = (delivery: Delivery): void => {
    seen.push(`${delivery.message.id} ${delivery.attempt}`);
    if (fails(delivery)) throw new Error("not yet");
  };
  return { seen, handler };
}

describe("the SQLite bus", () => {
  test("gives two groups and a broadcast each what is theirs", async () => {
    const bench = await makeBench();
    const bus = await bench.openBus();
    const [first, second, third] = [recorder(), recorder(), recorder()];
    await bus.subscribe(GROUP, first.handler);
    await bus.subscribe({ ...GROUP, name: "audit.all", topic: "account.*" }, second.handler);
    const broadcast = { ...GROUP, name: "cache.refresh", delivery: "broadcast" } as const;
    await bus.subscribe(broadcast, third.handler);
    await bus.publish([eventOf("a"), eventOf("b")]);
    await bench.advance(10);
    for (const { seen } of [first, second, third]) assert.deepEqual(seen, ["a 1", "b 1"]);
    await bench.working(bus.close());
    assert.equal(countOf(bench.path, "bus_queue"), 0);
  });

  test("keeps a wildcard group over a restart, and what came meanwhile", async () => {
    const bench = await makeBench();
    const bus = await bench.openBus();
    const everything = { ...GROUP, name: "audit.all", topic: "account.#" };
    const member = await bus.subscribe(everything, () => undefined);
    await member.close();
    await bus.publish(eventOf("before"));
    await bench.working(bus.close());
    const again = await bench.openBus();
    await again.publish([eventOf("after", { topic: "account" }), eventOf("other", { topic: "x" })]);
    const { seen, handler } = recorder();
    await again.subscribe(everything, handler);
    await bench.advance(10);
    assert.deepEqual(seen.toSorted(), ["after 1", "before 1"]);
    await bench.working(again.close());
  });

  test("gives up a message that is no JSON any more, and handles the others", async () => {
    const bench = await makeBench();
    const bus = await bench.openBus();
    await (await bus.subscribe(GROUP, () => undefined)).close();
    await bus.publish(["a", "b", "c"].map((id) => eventOf(id)));
    await bench.working(bus.close());
    change(bench.path, "UPDATE bus_queue SET body = 'gone' WHERE message_id = 'b'");
    const again = await bench.openBus();
    const { seen, handler } = recorder();
    await again.subscribe(GROUP, handler);
    await bench.advance(100);
    assert.deepEqual(seen, ["a 1", "c 1"]);
    const { letters } = await again.deadLetters.list();
    assert.partialDeepStrictEqual(letters, [
      { reason: "unreadable", message: { id: "b", body: "gone" }, error: { kind: "data_loss" } },
    ]);
    assert.equal((await again.status()).subscriptions[0]?.buffered, 0);
    await bench.working(again.close());
  });

  test("reads back what is too large to be in memory at once", async () => {
    const bench = await makeBench();
    const bus = await bench.openBus();
    await (await bus.subscribe(GROUP, () => undefined)).close();
    const body = "x".repeat(300_000);
    for (let n = 0; n < 20; n += 1) await bus.publish(eventOf(`large-${n}`, { body }));
    const { seen, handler } = recorder();
    await bus.subscribe(GROUP, handler);
    await bench.advance(100);
    assert.equal(seen.length, 20);
    await bench.working(bus.close());
  });

  test("wakes delayed messages by the wall clock, whichever way it jumps", async () => {
    const bench = await makeBench();
    const { clock } = bench;
    const bus = await bench.openBus();
    const { seen, handler } = recorder();
    await bus.subscribe(GROUP, handler);
    const startMs = clock.nowMs();
    await bus.publish(eventOf("soon", { deliverAtMs: startMs + 10_000 }));
    await bus.publish(eventOf("tomorrow", { deliverAtMs: startMs + 86_400_000 }));
    clock.jumpWallClock(-60_000);
    await bench.advance(60_000);
    assert.deepEqual(seen, [], "a minute back: its time has not come again");
    await bench.advance(70_000);
    assert.deepEqual(seen, ["soon 1"]);
    clock.jumpWallClock(86_400_000);
    await bench.advance(61_000);
    assert.deepEqual(seen, ["soon 1", "tomorrow 1"]);
    await bench.working(bus.close());
  });

  test("does not wait for ever for a retry when the wall clock was turned back", async () => {
    const bench = await makeBench();
    const bus = await bench.openBus();
    const backoff = { initialMs: 5000, maxMs: 5000, jitter: "none" } as const;
    const failing = recorder(() => true);
    await bus.subscribe({ ...GROUP, backoff }, failing.handler);
    await bus.publish(eventOf("a"));
    await bench.advance(10);
    await bench.working(bus.close({ drainMs: 0 }));
    bench.clock.jumpWallClock(-86_400_000);
    const again = await bench.openBus();
    const { seen, handler } = recorder();
    await again.subscribe({ ...GROUP, backoff }, handler);
    await bench.advance(6000);
    assert.deepEqual([failing.seen, seen], [["a 1"], ["a 2"]]);
    await bench.working(again.close());
  });
});

function change(path: string, sql: string): void {
  const database = new DatabaseSync(path);
  try {
    database.exec(sql);
  } finally {
    database.close();
  }
}

function countOf(path: string, table: string): unknown {
  const database = new DatabaseSync(path);
  try {
    return database.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.["count"];
  } finally {
    database.close();
  }
}
