import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { connectAmqp } from "../fixtures/amqp-client.ts";
import { spawnNode } from "./child.ts";
import { findDescendants, findRunning, untilGone } from "./process-tree.ts";
import { rabbitmqPrograms } from "./rabbitmq-home.ts";
import { openRabbitmq } from "./rabbitmq-server.ts";
import { findReasonToSkip } from "./required-programs.ts";
import { createTestCertificates, opensslPrograms } from "./test-certificates.ts";
import { until } from "./until.ts";

const reason = await findReasonToSkip(rabbitmqPrograms);
const rabbitmqTest = { skip: reason };
const secureTest = { skip: reason || (await findReasonToSkip(opensslPrograms)) };
const programsBefore = new Set(listPrograms());
const crashing = new URL("../fixtures/crashing-server-test.ts", import.meta.url);

test("a private RabbitMQ takes its user and nobody else", rabbitmqTest, async () => {
  await using rabbitmq = await openRabbitmq({ config: { channel_max: "17" } });
  assert.match(rabbitmq.url, /^amqp:\/\/banyan:banyan@127\.0\.0\.1:\d+$/);
  assert.equal(await rabbitmq.ask("application:get_env(rabbit, channel_max)"), "{ok,17}");
  using client = await connectAmqp(rabbitmq.url);
  const [connection, ...others] = await rabbitmq.connections();
  assert.deepEqual([connection?.user, connection?.state], ["banyan", "running"]);
  assert.match(connection?.name ?? "", new RegExp(` -> 127\\.0\\.0\\.1:${rabbitmq.port}$`));
  assert.deepEqual(others, []);
  assert.equal(await rabbitmq.closeConnections("enough of it"), 1);
  await assert.rejects(client.expect(0, 0), /10\.50: .*enough of it/);
  for (const who of ["banyan:wrong", "guest:guest"]) {
    const url = rabbitmq.url.replace("banyan:banyan", who);
    await assert.rejects(connectAmqp(url), /10\.50: .*ACCESS_REFUSED/);
  }
  for (const name of ["listeners.tcp.default", "ssl_options.verify", "default_user"]) {
    const own = openRabbitmq({ config: { [name]: "1" } });
    await assert.rejects(own, new RegExp(`"${name}" is the testbed's own`));
  }
  await assert.rejects(openRabbitmq({ config: { nonsense: "1" } }), /did not start:.*nonsense/s);
});

test("what was confirmed is there after a kill", rabbitmqTest, async () => {
  await using rabbitmq = await openRabbitmq();
  const { pid, url } = rabbitmq;
  {
    using client = await connectAmqp(url);
    await client.declareDurable("kept");
    client.publish("kept", "Ada Lövelace");
    await client.untilConfirmed();
    assert.deepEqual(await rabbitmq.kill(), { code: null, signal: "SIGKILL" });
  }
  await assert.rejects(connectAmqp(url), { code: "ECONNREFUSED" });
  await assert.rejects(rabbitmq.ask("ok"), { code: "ECONNREFUSED" });
  await rabbitmq.start();
  assert.notEqual(rabbitmq.pid, pid);
  assert.equal(rabbitmq.url, url);
  using client = await connectAmqp(url);
  assert.equal(await client.get("kept"), "Ada Lövelace");
  assert.equal(await client.get("kept"), undefined);
  const [queue] = await rabbitmq.queues();
  assert.deepEqual([queue?.ready, queue?.unacknowledged, queue?.consumers], [0, 1, 0]);
  await rabbitmq.restart();
  assert.equal((await rabbitmq.queues())[0]?.ready, 1);
});

test("a paused RabbitMQ answers nothing until it is resumed", rabbitmqTest, async () => {
  await using rabbitmq = await openRabbitmq();
  rabbitmq.pause();
  let isAnswered = false;
  const answer = rabbitmq.ask("1 + 1").finally(() => (isAnswered = true));
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(isAnswered, false);
  rabbitmq.resume();
  assert.equal(await answer, "2");
  rabbitmq.pause();
  assert.deepEqual(await rabbitmq.stop(), { code: 0, signal: null });
});

test("queues are made, emptied and deleted beside its clients", rabbitmqTest, async () => {
  await using rabbitmq = await openRabbitmq();
  const given = { "x-max-length": 9, "x-overflow": "reject-publish", "x-expires": 60_000 };
  await rabbitmq.declareQueue('an "odd" näme', { arguments: given, durable: false });
  await rabbitmq.declareQueue("safe", { arguments: { "x-queue-type": "quorum" } });
  const none = { ready: 0, unacknowledged: 0, consumers: 0 };
  assert.deepEqual(await rabbitmq.queues(), [
    { name: 'an "odd" näme', type: "classic", isDurable: false, arguments: given, ...none },
    {
      name: "safe",
      type: "quorum",
      isDurable: true,
      arguments: { "x-queue-type": "quorum" },
      ...none,
    },
  ]);
  await assert.rejects(rabbitmq.declareQueue("safe"), /existing/);
  const unknown = { arguments: { "x-queue-type": "unheard" } };
  await assert.rejects(rabbitmq.declareQueue("other", unknown), /unsupported queue type/);
  using client = await connectAmqp(rabbitmq.url);
  for (const body of ["1", "2", "3"]) {
    client.publish("safe", body);
    await client.untilConfirmed();
  }
  assert.equal(await client.get("safe"), "1");
  const isSeen = async (): Promise<boolean> => {
    const queue = (await rabbitmq.queues())[1];
    return queue?.ready === 2 && queue.unacknowledged === 1;
  };
  await until(isSeen, { what: "The count of a quorum queue, which is taken now and then" });
  assert.equal(await rabbitmq.purgeQueue("safe"), 2);
  await rabbitmq.deleteQueue("safe");
  await assert.rejects(rabbitmq.deleteQueue("safe"), /not_found/);
  assert.deepEqual((await rabbitmq.queues()).length, 1);
  await assert.rejects(rabbitmq.ask("nobody:knows()"), /RabbitMQ answered: undef/);
});

test("an alarm blocks those who publish until it is cleared", rabbitmqTest, async () => {
  await using rabbitmq = await openRabbitmq();
  await rabbitmq.declareQueue("waiting");
  for (const alarm of ["memory", "disk"] as const) {
    using client = await connectAmqp(rabbitmq.url);
    await rabbitmq.raiseAlarm(alarm);
    assert.deepEqual(await rabbitmq.alarms(), [alarm]);
    client.publish("waiting", "patience");
    const said = await client.expect(10, 60);
    assert.match(said.toString(), new RegExp(alarm === "memory" ? "low on memory" : "low on disk"));
    assert.equal((await rabbitmq.connections())[0]?.state, "blocked");
    await rabbitmq.clearAlarm(alarm);
    assert.deepEqual(await rabbitmq.alarms(), []);
    await client.expect(10, 61);
    await client.untilConfirmed();
  }
});

test("two at once do not know each other, and nobody knows epmd", rabbitmqTest, async () => {
  const both = await Promise.all([openRabbitmq(), openRabbitmq()]);
  await using first = both[0];
  await using second = both[1];
  assert.notEqual(first.url, second.url);
  await first.declareQueue("mine");
  assert.deepEqual(await second.queues(), []);
  // What RabbitMQ does every minute: it starts an Erlang, which starts epmd where it may.
  const look =
    "gen_server:cast(rabbit_epmd_monitor, check), sys:get_state(rabbit_epmd_monitor), ok";
  assert.equal(await first.ask(look), "ok");
  assert.deepEqual((await first.queues()).length, 1);
  assert.equal(findServerPrograms(first.directory).length, 1);
  const sockets = await first.ask(
    '[inet:sockname(P) || P <- erlang:ports(), {name, "tcp_inet"} =:= erlang:port_info(P, name)]',
  );
  assert.deepEqual(sockets.match(/\{\{[\d,]+\},\d+\}/g), [`{{127,0,0,1},${first.port}}`]);
});

test("over TLS it is itself to those who know its authority", secureTest, async () => {
  await using certificates = await createTestCertificates();
  const text = (path: string): string => readFileSync(path, "utf8");
  const [ca, foreignCa] = [text(certificates.ca), text(certificates.foreignCa)];
  const as = ({ certificate, key }: typeof certificates.client): { cert: string; key: string } => ({
    cert: text(certificate),
    key: text(key),
  });
  await using rabbitmq = await openRabbitmq({ tls: certificates });
  assert.match(rabbitmq.url, /^amqps:\/\/banyan:banyan@127\.0\.0\.1:\d+$/);
  using _ = await connectAmqp(rabbitmq.url, { ca });
  await assert.rejects(connectAmqp(rabbitmq.url, { ca: foreignCa }), {
    code: /SELF_SIGNED|UNABLE_TO/,
  });
  await assert.rejects(connectAmqp(rabbitmq.url.replace("amqps", "amqp")));
  await using strict = await openRabbitmq({
    tls: { ...certificates, requireClientCertificate: true },
  });
  using _known = await connectAmqp(strict.url, { ca, ...as(certificates.client) });
  await assert.rejects(connectAmqp(strict.url, { ca }));
  await assert.rejects(connectAmqp(strict.url, { ca, ...as(certificates.foreignClient) }));
});

test("the end of the scope leaves neither process nor folder", rabbitmqTest, async () => {
  let folder = "";
  let pids: number[] = [];
  {
    await using rabbitmq = await openRabbitmq();
    folder = rabbitmq.directory;
    pids = [rabbitmq.pid, ...findDescendants(rabbitmq.pid)];
    assert.ok(pids.length > 1);
    assert.deepEqual(findRunning(pids), pids);
  }
  assert.deepEqual(findRunning(pids), []);
  assert.deepEqual(findServerPrograms(folder), []);
  assert.equal(existsSync(folder), false);
});

test("a test process that ends badly leaves none, even a frozen one", rabbitmqTest, async () => {
  for (const ending of ["throw", "SIGTERM"] as const) {
    await using tests = spawnNode(crashing, [ending, "rabbitmq"]);
    const { match } = await tests.waitForLine(/^left (\S+) ([\d ]+)$/, { timeoutMs: 30_000 });
    const [, folder = "", list = ""] = match;
    const pids = list.split(" ").map(Number);
    assert.deepEqual(findRunning(pids), pids);
    tests.signal(ending === "throw" ? "SIGUSR2" : ending);
    await tests.exited;
    await untilGone(pids);
    assert.deepEqual(findServerPrograms(folder), []);
    assert.equal(existsSync(folder), false);
  }
});

/** Erlang's programs that work in a folder, whoever started them; and every epmd that is new. */
function findServerPrograms(folder: string): string[] {
  return listPrograms().filter((line) => {
    if (line.includes("beam")) return line.includes(`-home ${folder} `);
    return /^\s*\d+ \S*\bepmd\b/.test(line) && !programsBefore.has(line);
  });
}

/** A line for each process: its number, then its program with its words. */
function listPrograms(): string[] {
  const { stdout } = spawnSync("ps", ["-A", "-ww", "-o", "pid=,args="], { encoding: "utf8" });
  return stdout.split("\n");
}
