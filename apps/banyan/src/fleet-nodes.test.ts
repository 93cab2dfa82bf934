/** Nodes in processes of their own, found by a real server: killed, paused and restarted. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import { systemClock } from "@banyan/kernel";
import {
  bareEnvironment,
  findReasonToSkip,
  freePort,
  mariadbPrograms,
  openMariadb,
  openPostgres,
  openRedisServer,
  postgresPrograms,
  redisPrograms,
  spawnNode,
  temporaryDirectory,
} from "@banyan/testbed";
import type { Child } from "@banyan/testbed";

const bin = fileURLToPath(new URL("../bin/banyan.js", import.meta.url));
const greeter = fileURLToPath(new URL("../../../examples/greeter", import.meta.url));
const skip = await findReasonToSkip(redisPrograms);
const ready = { timeoutMs: 60_000 };
const heartbeatMs = 300;
const timeoutMs = 2000;

const env = bareEnvironment();

interface Bed extends AsyncDisposable {
  /** Starts a node, or the same again; resolves when it is ready. */
  up(id: string, services?: string): Promise<Child>;
  /** Runs a verb at a node, to its end; what it printed. */
  run(id: string, ...words: string[]): Promise<string>;
  url(id: string): string;
}

/** A server that can be a registry, by what `--join` takes. */
interface Server extends AsyncDisposable {
  readonly url: string;
}

const openRedis = (): Promise<Server> => openRedisServer({ listen: "tcp" });

async function openBed(openServer: () => Promise<Server> = openRedis): Promise<Bed> {
  const all = new AsyncDisposableStack();
  const folder = all.use(await temporaryDirectory("fleet"));
  const server = all.use(await openServer());
  const ports = new Map<string, number>();
  const variables = { ...env, BANYAN_MESH_SECRET: "the secret of the fleet of this very test" };
  const runner =
    (id: string) =>
    (words: readonly string[]): Child => {
      const cwd = folder.join(id);
      mkdirSync(cwd, { recursive: true });
      return all.use(spawnNode(bin, words, { cwd, env: variables }));
    };
  return {
    async up(id, services) {
      const port = ports.get(id) ?? (await freePort());
      ports.set(id, port);
      const only = services === undefined ? [] : ["--services", services];
      const sets = [`node.id=${id}`, `mesh.heartbeatMs=${heartbeatMs}`, "log.level=warn"];
      const flags = sets.flatMap((each) => ["--set", each]);
      const words = ["up", "--join", server.url, "--port", String(port), ...only, ...flags];
      const child = runner(id)(words);
      await child.waitForLine(/Ctrl-C stops it|"event":"ready"/, ready);
      return child;
    },
    async run(id, ...words) {
      const child = runner(id)(words);
      await child.exited;
      return child.lines.map(({ text }) => text).join("\n");
    },
    url: (id) => `http://localhost:${ports.get(id)}`,
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
}

interface Failure {
  readonly code: unknown;
  readonly startedMs: number;
  readonly tookMs: number;
}

/** Calls of eight clients, one after the other for each, until it is stopped. */
function load(url: string) {
  const failures: Failure[] = [];
  let isOver = false;
  let done = 0;
  const client = async (index: number): Promise<void> => {
    while (!isOver) {
      const startedMs = performance.now();
      const response = await fetch(`${url}/greeter/greet`, {
        method: "POST",
        headers: { "content-type": "application/json", "banyan-timeout-ms": String(timeoutMs) },
        body: JSON.stringify({ name: `n${index}` }),
      });
      const answer: unknown = await response.json();
      if (response.status !== 200) {
        const code = Reflect.get(Object(answer), "code");
        failures.push({ code, startedMs, tookMs: performance.now() - startedMs });
      }
      done += 1;
    }
  };
  const clients = Array.from({ length: 8 }, (_, index) => client(index));
  return {
    failures,
    /** Resolves when so many more calls have ended. */
    async more(count: number): Promise<void> {
      const target = done + count;
      while (done < target) await systemClock.sleep(10);
    },
    async stop(): Promise<void> {
      isOver = true;
      await Promise.all(clients);
    },
    async [Symbol.asyncDispose]() {
      await this.stop();
    },
  };
}

test(
  "a node killed under load fails the calls on it alone, and none a second later",
  { skip, timeout: 120_000 },
  async () => {
    await using bed = await openBed();
    const [, killed] = await Promise.all([
      bed.up("one", greeter),
      bed.up("two", greeter),
      bed.up("door"),
    ]);
    await using calls = load(bed.url("door"));
    await calls.more(500);
    const killedMs = performance.now();
    await killed.kill();
    await calls.more(500);
    while (performance.now() < killedMs + 2500) await calls.more(50);
    await calls.stop();
    const late = calls.failures.filter(({ startedMs }) => startedMs > killedMs + 1000);
    assert.deepEqual(late, []);
    assert(calls.failures.length <= 8, `${calls.failures.length} calls failed, of 8 at once`);
    for (const { code, tookMs } of calls.failures) {
      assert.equal(code, "MESH_OUTCOME_UNKNOWN");
      assert(tookMs <= timeoutMs + 500, `it failed after ${tookMs} ms`);
    }
  },
);

test(
  "a node that stands still is left alone until it goes on",
  { skip, timeout: 120_000 },
  async () => {
    await using bed = await openBed();
    const [, paused] = await Promise.all([
      bed.up("one", greeter),
      bed.up("two", greeter),
      bed.up("door"),
    ]);
    await using calls = load(bed.url("door"));
    await calls.more(300);
    const pausedMs = performance.now();
    paused.signal("SIGSTOP");
    const goneMs = heartbeatMs * 4 + 1000;
    while (performance.now() < pausedMs + goneMs + 2000) await calls.more(50);
    const late = calls.failures.filter(({ startedMs }) => startedMs > pausedMs + goneMs);
    assert.deepEqual(late, []);
    for (const { tookMs } of calls.failures) assert(tookMs <= timeoutMs + 500, `${tookMs} ms`);
    paused.signal("SIGCONT");
    const listed = async (): Promise<boolean> =>
      /two .* (?:up|degraded)/.test(await bed.run("door", "mesh", "endpoints"));
    for (let tries = 0; tries < 20 && !(await listed()); tries += 1) await systemClock.sleep(100);
    assert(await listed(), "it did not come back");
    const before = calls.failures.length;
    await calls.more(500);
    await calls.stop();
    assert.equal(calls.failures.length, before, "calls fail after it came back");
  },
);

test(
  "nodes restarted in turn under load fail no call, and the operator sees and moves them",
  { skip, timeout: 120_000 },
  async () => {
    await using bed = await openBed();
    const ids = ["one", "two", "three"] as const;
    const [, ...greeters] = await Promise.all([
      bed.up("door"),
      ...ids.map((id) => bed.up(id, greeter)),
    ]);
    await using calls = load(bed.url("door"));
    for (const [at, id] of ids.entries()) {
      await calls.more(300);
      const node = greeters[at];
      node?.signal("SIGTERM");
      assert.deepEqual(await node?.exited, { code: 0, signal: null });
      await bed.up(id, greeter);
    }
    await calls.more(300);
    const endpoints = await bed.run("door", "mesh", "endpoints");
    // The load of this test may keep a small machine busy.
    assert.match(endpoints, /door \(this one\) .* (?:up|degraded) +\d+%/);
    assert.match(endpoints, /one .* (?:up|degraded) +\d+% +greeter/);
    assert.match(await bed.run("door", "mesh", "drain", "two"), /two has left the fleet/);
    assert.doesNotMatch(await bed.run("door", "mesh", "endpoints"), /two/);
    await calls.more(300);
    await calls.stop();
    assert.deepEqual(calls.failures, []);
    const answer = await bed.run("door", "call", "greeter", "greet", "name=Ada", "--json");
    assert.match(answer, /"text":"Hello, Ada!"/);
    assert.match(await bed.run("door", "mesh", "place", "greeter=front"), /greeter +front/);
    assert.match(await bed.run("door", "mesh", "mappings"), /greeter +front/);
    assert.match(await bed.run("door", "mesh", "place"), /Nothing is placed\.[^]*--none/);
  },
);

const registries = [
  {
    name: "PostgreSQL",
    skip: await findReasonToSkip(postgresPrograms),
    open: (): Promise<Server> => openPostgres(),
  },
  {
    name: "MariaDB",
    skip: await findReasonToSkip(mariadbPrograms),
    open: async (): Promise<Server> => {
      const server = await openMariadb();
      const { user, password, host, port, database } = server;
      return {
        url: `mysql://${user}:${password}@${host}:${port}/${database}`,
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
    },
  },
];

for (const { name, skip: reason, open } of registries) {
  test(
    `nodes find each other by ${name}, and one that dies is forgotten`,
    { skip: reason, timeout: 120_000 },
    async () => {
      await using bed = await openBed(open);
      const [one] = await Promise.all([bed.up("one", greeter), bed.up("door")]);
      const answer = await bed.run("door", "call", "greeter", "greet", "name=Ada", "--json");
      assert.match(answer, /"text":"Hello, Ada!"/);
      assert.match(await bed.run("door", "mesh", "endpoints"), /one .* (?:up|degraded)/);
      await one.kill();
      const isListed = async (): Promise<boolean> =>
        /^one /m.test(await bed.run("door", "mesh", "endpoints"));
      for (let tries = 0; tries < 20 && (await isListed()); tries += 1)
        await systemClock.sleep(100);
      assert(!(await isListed()), "it is listed still");
    },
  );
}
