/** The verbs about what a node keeps, as a user runs them: real processes and real files. */

import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { bareEnvironment, spawnNode, temporaryDirectory } from "@banyan/testbed";
import type { Child, TemporaryDirectory } from "@banyan/testbed";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const bin = join(root, "apps/banyan/bin/banyan.js");
const readyTimeoutMs = 30_000; // a busy machine reads the sources in seconds

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A project with one package of two services: `pantry` and `taster`. */
async function makeProject(): Promise<TemporaryDirectory> {
  const project = await temporaryDirectory("project");
  mkdirSync(project.join("services"));
  symlinkSync(join(root, "node_modules"), project.join("node_modules"));
  const fixture = join(root, "apps/banyan/fixtures/pantry");
  cpSync(fixture, project.join("services/pantry"), { recursive: true });
  writeFileSync(project.join("banyan.yaml"), "http:\n  port: 0\nlog: { level: error }\n");
  return project;
}

const env = bareEnvironment();

function start(project: TemporaryDirectory, ...words: string[]): Child {
  return spawnNode(bin, words, { cwd: project.path, env });
}

async function run(project: TemporaryDirectory, ...words: string[]): Promise<Run> {
  await using child = start(project, ...words);
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

/** A result of `--json`, where it must have worked. */
async function ask(project: TemporaryDirectory, ...words: string[]): Promise<Row> {
  const { code, stdout, stderr } = await run(project, ...words, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Row;
}

type Row = Readonly<Record<string, unknown>>;

async function up(project: TemporaryDirectory, ...words: string[]): Promise<Child> {
  const child = start(project, "up", ...words);
  await child.waitForLine(/Ctrl-C stops it/, { timeoutMs: readyTimeoutMs });
  return child;
}

/** Asks until the answer is as wanted; what another process does takes its time. */
async function until<T>(question: () => Promise<T>, isDone: (answer: T) => boolean): Promise<T> {
  for (let round = 0; ; round += 1) {
    const answer = await question();
    if (isDone(answer)) return answer;
    assert.ok(round < 50, JSON.stringify(answer));
  }
}

describe("state and events of a running node", { concurrency: 2 }, () => {
  let project: TemporaryDirectory;
  let node: Child;
  before(async () => {
    project = await makeProject();
    node = await up(project);
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
    await project[Symbol.asyncDispose]();
  });

  test("stores are listed with what keeps them", async () => {
    const { stdout } = await run(project, "state", "stores");
    assert.match(stdout, /^pantry\.jars +durable +sqlite +revisions$/m);
    assert.match(stdout, /^pantry\.notes +ephemeral +memory/m);
    assert.match(stdout, /^node\.inbox .*read only$/m);
  });

  test("a subscription is described with what it asks for", async () => {
    const { stdout } = await run(project, "describe", "taster");
    assert.match(stdout, /^ +onFilled +pantry\.filled +group +concurrency 16, retriesMax 0$/m);
  });

  test("entries are counted where it is asked for", async () => {
    await run(project, "state", "set", "pantry.totals", "a", "1");
    await run(project, "state", "set", "pantry.totals", "b", "2");
    const { stdout } = await run(project, "state", "stores", "--count");
    assert.match(stdout, /^pantry\.totals +durable +sqlite +- +2$/m);
  });

  test("scopes are listed with owner and content, and looked into", async () => {
    const none = await run(project, "state", "scopes", "pantry");
    assert.match(none.stderr, /pantry has no such scope/);
    const call = ["call", "pantry", "label", "jar=a", "label=plums"];
    await run(project, ...call, "household=blue");
    await run(project, ...call, "household=red.1");
    const { stdout } = await run(project, "state", "scopes", "pantry");
    assert.match(stdout, /^blue +household:blue +1 +\d{4}-/m);
    assert.match(stdout, /^red\.1 +household:red\.1 +1 +\d{4}-/m);
    const first = await run(project, "state", "scopes", "pantry", "--limit", "1");
    assert.match(first.stderr, /There is more: --after blue goes on/);
    const one = await ask(project, "state", "scopes", "pantry", "--owner", "household:blue");
    assert.equal((one["scopes"] as unknown[]).length, 1);
    assert.equal(
      (await run(project, "state", "get", "pantry/red.1.labels", "a")).stdout,
      '"plums"\n',
    );
    const stores = await run(project, "state", "stores");
    assert.match(stores.stdout, /^pantry\/<scope>\.labels +durable +sqlite/m);
    const unknown = await run(project, "state", "get", "pantry/green.labels", "a");
    assert.equal(unknown.code, 3);
    assert.match(unknown.stderr, /has no scope "green"/);
    for (const words of [
      ["get", "pantry.labels", "a"],
      ["list", "pantry.labels"],
    ]) {
      const bare = await run(project, "state", ...words);
      assert.equal(bare.code, 3);
      assert.match(bare.stderr, /it is scoped.*Write pantry\/<scope>\.labels/);
      assert.match(bare.stderr, /fix: +`banyan state scopes pantry`/);
    }
    // Of a scoped store too the words are read by its schema: 42 is meant as a text.
    assert.equal((await run(project, "state", "set", "pantry/blue.labels", "b", "42")).code, 0);
    const taster = await run(project, "state", "scopes", "taster");
    assert.match(taster.stderr, /"taster" declares no scoped store; these have scopes: pantry/);
  });

  test("an entry is written, read, listed and deleted", async () => {
    const { etag } = await ask(project, "state", "set", "pantry.jars", "a", "count=1", "label=x y");
    const got = await ask(project, "state", "get", "pantry.jars", "a");
    assert.deepEqual(
      [got["value"], got["etag"], got["revision"]],
      [{ count: 1, label: "x y" }, etag, 1],
    );
    const people = await run(project, "state", "get", "pantry.jars", "a");
    assert.deepEqual(JSON.parse(people.stdout), { count: 1, label: "x y" });
    assert.match(people.stderr, /^etag \S+, revision 1, created .*, updated /);
    await run(project, "state", "set", "pantry.jars", "ab", '{"count":2}');
    const list = await run(project, "state", "list", "pantry.jars", "--prefix", "a");
    assert.equal(list.stdout, 'KEY  VALUE\na    {"count":1,"label":"x y"}\nab   {"count":2}\n');
    const page = await run(project, "state", "list", "pantry.jars", "--limit", "1");
    assert.match(page.stderr, /There is more: --after a goes on/);
    const gone = await run(project, "state", "delete", "pantry.jars", "a", "ab", "none");
    assert.equal(gone.stdout, "deleted 2, 1 not there\n");
    assert.equal((await run(project, "state", "get", "pantry.jars", "a")).code, 3);
  });

  test("a store that takes no value is told before the value is judged", async () => {
    const own = await run(project, "state", "set", "node.inbox", "a", "nonsense=1");
    assert.match(own.stderr, /"node\.inbox" is the node's own record/);
    const none = await run(project, "state", "set", "pantry.jahrs", "a", "nonsense");
    assert.match(none.stderr, /no store "pantry\.jahrs"; did you mean "pantry\.jars"/);
  });

  test("a time without a unit is refused", async () => {
    const { code, stderr } = await run(project, "state", "set", "pantry.jars", "a", "x", "--ttl=5");
    assert.equal(code, 2);
    assert.match(stderr, /--ttl 5 has no unit[^]*fix: +Write 5s for seconds/);
  });

  test("a condition that does not hold ends with 4 and changes nothing", async () => {
    const { etag } = await ask(project, "state", "set", "pantry.jars", "c", "count=1");
    const words = ["state", "set", "pantry.jars", "c", "count=2"];
    assert.equal((await run(project, ...words, "--if-absent")).code, 4);
    assert.equal((await run(project, ...words, "--if-match=other")).code, 4);
    assert.equal((await run(project, ...words, `--if-match=${String(etag)}`)).code, 0);
    assert.deepEqual((await ask(project, "state", "get", "pantry.jars", "c"))["value"], {
      count: 2,
    });
  });

  test("a value that is no object is a word, and standard input is JSON", async () => {
    await run(project, "state", "set", "pantry.notes", "n", "42");
    assert.equal((await ask(project, "state", "get", "pantry.notes", "n"))["value"], "42");
    const words = ["state", "set", "pantry.totals", "t", "-"];
    await using child = spawnNode(bin, words, { cwd: project.path, env, input: "42" });
    assert.equal((await child.exited).code, 0, child.stderr);
    assert.equal((await ask(project, "state", "get", "pantry.totals", "t"))["value"], 42);
    const long = await run(project, "state", "set", "pantry.notes", "n", "x".repeat(21));
    assert.deepEqual([long.code, /20 characters/.test(long.stderr)], [2, true]);
    for (const verb of ["state set pantry.totals t -", "events publish pantry.filled -"]) {
      const silent = spawnNode(bin, verb.split(" "), { cwd: project.path, env, input: "" });
      await using _silent = silent;
      assert.equal((await silent.exited).code, 2);
      assert.match(silent.stderr, /Standard input was empty/);
    }
  });

  test("a store that is not there is answered with the nearest one", async () => {
    const { code, stderr } = await run(project, "state", "list", "pantry.jar");
    assert.deepEqual([code, /"pantry\.jars"/.test(stderr)], [3, true]);
    const service = await run(project, "state", "get", "pantry", "x");
    assert.match(service.stderr, /"pantry" has: pantry\.jars, pantry\.notes, pantry\.totals\./);
    assert.match(service.stderr, /fix: .*banyan state stores/);
    const own = await run(project, "state", "set", "node.inbox", "k", '{"at":1}');
    assert.deepEqual([own.code, /read, not written/.test(own.stderr)], [10, true]);
  });

  test("keys that would move the cursor are shown, and an end is not called empty", async () => {
    const key = "odd\u001B[2J\nkey";
    await run(project, "state", "set", "pantry.notes", key, "v\u009B");
    const words = ["state", "list", "pantry.notes", "--prefix", "odd"];
    const { stdout } = await run(project, ...words);
    assert.match(stdout, /^odd\\u001b\[2J\\nkey +"v\\u009b"$/m);
    const shown = await run(project, "state", "get", "pantry.notes", key);
    assert.equal(shown.stdout, '"v\\u009b"\n');
    const end = await run(project, "state", "list", "pantry.notes", "--after", "zzz");
    assert.equal(end.stderr, 'There is nothing after "zzz".\n');
  });

  test("all of a long list are shown with --all, one JSON per line", async () => {
    await run(project, "call", "pantry", "fill", "from=0", "to=1200");
    const words = ["state", "list", "pantry.jars", "--prefix", "jar-", "--all", "--json"];
    const { stdout } = await run(project, ...words);
    const keys = stdout
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as Row)["key"]);
    assert.deepEqual([keys.length, keys[0], keys.at(-1)], [1200, "jar-000000", "jar-001199"]);
  });

  test("a published event is checked, seen by a tail and handled", async () => {
    const missing = await run(project, "events", "publish", "pantry.filled", "jar=x");
    assert.deepEqual([missing.code, /\/count is required/.test(missing.stderr)], [2, true]);
    const near = await run(project, "events", "publish", "pantry.fillt", "jar=x", "count=1");
    assert.deepEqual([near.code, /"pantry\.filled"/.test(near.stderr)], [3, true]);
    await using tail = start(project, "events", "tail", "pantry.*", "--json");
    await tail.waitForLine(/"live"/, { timeoutMs: readyTimeoutMs });
    const published = ["events", "publish", "pantry.filled", "jar=tail", "count=7"];
    const { eventId } = await ask(project, ...published);
    const { text } = await tail.waitForLine(/"tail"/, { timeoutMs: readyTimeoutMs });
    const frame = JSON.parse(text) as Row;
    assert.deepEqual([frame["topic"], frame["eventId"]], ["pantry.filled", eventId]);
    tail.signal("SIGINT");
    assert.deepEqual(await tail.exited, { code: 0, signal: null });
    await until(
      () => run(project, "state", "get", "taster.tasted", "tail"),
      ({ code }) => code === 0,
    );
  });

  test("an event that nobody listens to is told so, a delay too long is refused", async () => {
    const lonely = await run(project, "events", "publish", "pantry.emptied", "jar=x");
    assert.equal(lonely.code, 0);
    assert.match(lonely.stderr, /nobody listens to pantry\.emptied .* kept nowhere/);
    const heard = await run(project, "events", "publish", "pantry.filled", "jar=h", "count=1");
    assert.equal(heard.stderr, "");
    const far = ["events", "publish", "pantry.emptied", "jar=x", "--delay", "4000d"];
    const late = await run(project, ...far);
    assert.deepEqual([late.code, /1ms to 3652d/.test(late.stderr)], [2, true]);
  });

  test("a tail of what is no pattern is told what one is", async () => {
    for (const pattern of ["no topic", "pantry..filled"]) {
      const { code, stderr } = await run(project, "events", "tail", pattern);
      assert.equal(code, 2);
      assert.match(stderr, /is no pattern of topics.*"greeter\.\*"/);
      assert.doesNotMatch(stderr, /node\.tail|no service of this node/);
    }
    const empty = await run(project, "events", "tail", "");
    assert.deepEqual([empty.code, /The pattern is empty/.test(empty.stderr)], [2, true]);
  });

  test("topics are listed with who listens and what waits", async () => {
    const { stdout } = await run(project, "events", "topics");
    assert.match(stdout, /^pantry\.filled +durable +sqlite +taster\.onFilled \(group\)$/m);
    assert.match(stdout, /^taster\.onFilled +pantry\.filled +group +1 /m);
  });

  test("a dead letter is listed, shown, and handled after the fault was mended", async () => {
    await run(project, "events", "publish", "pantry.filled", "jar=bad", "count=1");
    const dead = ["events", "dead-letters"];
    const { letters } = await until(
      () => ask(project, ...dead, "list", "--subscription", "taster.onFilled"),
      (answer) => (answer["letters"] as Row[]).length > 0,
    );
    const [letter] = letters as Row[];
    const id = String(letter?.["id"]);
    assert.match((await run(project, ...dead, "list")).stdout, /taster\.onFilled +pantry\.filled/);
    const shown = await run(project, ...dead, "show", id);
    assert.match(shown.stdout, /^STACK\n {2}at /m);
    assert.match(shown.stdout, /It is mouldy|INTERNAL/);
    assert.match(shown.stdout, /"jar": "bad"/);
    const doctor = await run(project, "doctor");
    assert.match(doctor.stdout, /^note +dead letters +1 waiting$/m);
    assert.match(doctor.stdout, /fix: `banyan events dead-letters list` shows them/);
    const unsure = await run(project, ...dead, "discard", "--subscription", "taster.onFilled");
    assert.equal(unsure.code, 2);
    const asked = ["redrive", "--subscription", "taster.onFilled", "--all"];
    const nobody = await run(project, ...dead, ...asked);
    assert.deepEqual([nobody.code, /--yes/.test(nobody.stderr)], [2, true]);
    await run(project, "state", "set", "taster.mended", "bad", "by=me");
    assert.equal((await run(project, ...dead, ...asked, "--yes")).stdout, "redriven 1\n");
    await until(
      () => run(project, "state", "get", "taster.tasted", "bad"),
      ({ code }) => code === 0,
    );
    const again = await run(project, ...dead, "discard", id);
    assert.deepEqual([again.code, again.stdout], [3, ""]);
    assert.match(again.stderr, /NODE_DEAD_LETTER_UNKNOWN/);
    const other = await run(project, ...dead, "list", "--subscription", "taster.onFiled");
    assert.deepEqual([other.code, /"taster\.onFilled"/.test(other.stderr)], [3, true]);
  });

  test("completion in a shell gets the names of this node", async () => {
    // It gives up soon, since somebody waits for a key press; a busy machine may need a second try.
    const values = (...words: string[]): Promise<string[]> =>
      until(
        async () => (await run(project, "complete-values", ...words)).stdout.trim().split("\n"),
        ([first]) => first !== "",
      );
    assert.deepEqual(await values("operation", "pantry"), ["fill", "label"]);
    assert.deepEqual(await values("operation-field", "pantry", "fill"), ["from=", "to="]);
    assert.deepEqual(await values("store-field", "pantry.jars", "a"), ["count=", "label="]);
    assert.deepEqual(await values("topic-field", "pantry.filled"), ["jar=", "count="]);
    assert.ok((await values("store")).includes("pantry.jars"));
    assert.deepEqual((await values("topic")).slice(0, 2), ["pantry.filled", "pantry.emptied"]);
    assert.deepEqual(await values("subscription"), ["taster.onFilled"]);
    assert.ok((await values("service.operation")).includes("pantry.fill"));
    const none = await run(project, "complete-values", "store", "--data-dir", "nowhere");
    assert.deepEqual([none.code, none.stdout, none.stderr], [0, "", ""]);
  });
});

test("a tail names the nearest topic, and ends with 7 when its node stops", async () => {
  await using project = await makeProject();
  await using node = await up(project);
  await using tail = start(project, "events", "tail", "pantry.fillt");
  await tail.waitForLine(/did you mean pantry\.filled/, { timeoutMs: readyTimeoutMs });
  await tail.waitForLine(/listening/, { timeoutMs: readyTimeoutMs });
  node.signal("SIGINT");
  assert.equal((await node.exited).code, 0);
  assert.equal((await tail.exited).code, 7);
  assert.match(tail.stderr, /The node has ended the stream/);
});

describe("backups", () => {
  test("one made under load holds every write that was acknowledged before it began", async () => {
    await using project = await makeProject();
    await using node = await up(project);
    const batch = 100;
    let from = 0;
    let loading = true;
    const underWay = Promise.withResolvers<void>();
    const load = (async () => {
      const url = /http:\/\/\S+:\d+/.exec(node.stdout)?.[0] ?? "";
      while (loading) {
        const body = JSON.stringify({ from, to: from + batch });
        const headers = { "content-type": "application/json" };
        const answer = await fetch(`${url}/pantry/fill`, { method: "POST", headers, body });
        assert.equal(answer.status, 200);
        from += batch;
        if (from > batch) underWay.resolve();
      }
    })();
    await Promise.race([underWay.promise, load]);
    const acknowledged: number[] = [];
    for (const name of ["first", "second"]) {
      acknowledged.push(from);
      const made = await run(project, "backup", "create", name);
      assert.equal(made.code, 0, made.stderr);
      assert.match(made.stdout, /^written to \S+: .* in \d+ ms\n {2}state\.db +[\d.]+ /);
    }
    loading = false;
    await load;
    const twice = await run(project, "backup", "create", "first");
    assert.deepEqual([twice.code, /is not empty/.test(twice.stderr)], [10, true]);
    const own = await run(project, "backup", "create", ".banyan");
    assert.deepEqual([own.code, /the data directory itself/.test(own.stderr)], [10, true]);
    const nowhere = await run(project, "backup", "create", "");
    assert.deepEqual(
      [nowhere.code, /folder of the backup is empty/.test(nowhere.stderr)],
      [2, true],
    );
    const held = await run(project, "backup", "restore", "first", "--force");
    assert.deepEqual([held.code, held.stderr.includes(`pid ${node.pid}`)], [10, true]);
    await node[Symbol.asyncDispose]();
    for (const [index, name] of ["first", "second"].entries()) {
      assert.match((await run(project, "backup", "verify", name)).stdout, /^sound: /);
      const place = ["--data-dir", `restored-${name}`];
      const restore = await run(project, "backup", "restore", name, ...place);
      assert.equal(restore.code, 0);
      assert.match(restore.stderr, new RegExp(`banyan up ${place.join(" ")}\` starts`));
      assert.equal(statSync(project.join(name, "state.db")).mode & 0o777, 0o600);
      await using restored = await up(project, ...place);
      const list = ["state", "list", "pantry.jars", "--all", "--json", ...place];
      const { stdout } = await run(project, ...list);
      const keys = new Set(
        stdout
          .trim()
          .split("\n")
          .map((line) => (JSON.parse(line) as Row)["key"]),
      );
      const least = acknowledged[index] ?? 0;
      for (let count = 0; count < least; count += 1) {
        assert.ok(keys.has(`jar-${String(count).padStart(6, "0")}`), `${name} lacks ${count}`);
      }
      restored.signal("SIGINT");
      assert.equal((await restored.exited).code, 0);
    }
  });

  test("without a node the command makes one itself, and restores it", async () => {
    await using project = await makeProject();
    const nothing = await run(project, "backup", "create", "copy");
    assert.deepEqual([nothing.code, /CLI_NO_DATA/.test(nothing.stderr)], [3, true]);
    assert.ok(!existsSync(project.join(".banyan")));
    await using first = await up(project);
    await run(project, "state", "set", "pantry.jars", "a", "count=1");
    await first.kill();
    const made = await ask(project, "backup", "create", "copy");
    assert.equal((made["manifest"] as Row)["node"], "none");
    await using second = await up(project);
    await run(project, "state", "set", "pantry.jars", "a", "count=2");
    await second.kill();
    const token = readFileSync(project.join(".banyan/admin-token"), "utf8");
    const refused = await run(project, "backup", "restore", "copy");
    assert.deepEqual([refused.code, /holds data already/.test(refused.stderr)], [4, true]);
    const { replaced } = await ask(project, "backup", "restore", "copy", "--force");
    assert.ok(existsSync(join(String(replaced), "state.db")));
    await using _third = await up(project);
    const { value } = await ask(project, "state", "get", "pantry.jars", "a");
    assert.deepEqual(value, { count: 1 });
    assert.equal(readFileSync(project.join(".banyan/admin-token"), "utf8"), token);
  });

  test("a damaged one is named, with what is wrong with it", async () => {
    await using project = await makeProject();
    await using node = await up(project);
    assert.equal((await run(project, "backup", "create", "copy")).code, 0);
    await node.kill();
    const file = project.join("copy/state.db");
    const content = readFileSync(file);
    content.writeUInt8(content.readUInt8(5000) ^ 0xff, 5000);
    writeFileSync(file, content);
    const { code, stderr } = await run(project, "backup", "verify", "copy");
    assert.deepEqual([code, /state\.db has another content/.test(stderr)], [1, true]);
    assert.equal((await run(project, "backup", "restore", "copy", "--force")).code, 1);
    assert.equal((await run(project, "backup", "verify", "services")).code, 3);
  });
});
