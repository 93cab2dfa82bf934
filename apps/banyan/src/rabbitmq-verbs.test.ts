/**
 * A node whose events go over RabbitMQ, as a user runs it: the server is stopped, an event is
 * enqueued, the server comes back, the handler fails, and its dead letter is healed.
 */

import assert from "node:assert/strict";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  bareEnvironment,
  findReasonToSkip,
  openRabbitmq,
  rabbitmqPrograms,
  spawnNode,
  temporaryDirectory,
  until,
} from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const bin = join(root, "apps/banyan/bin/banyan.js");
const skip = await findReasonToSkip(rabbitmqPrograms);
const patience = { timeoutMs: 60_000, everyMs: 100 };

const env = bareEnvironment();

async function makeProject(url: string): Promise<TemporaryDirectory> {
  const project = await temporaryDirectory("rabbitmq");
  mkdirSync(project.join("services"));
  symlinkSync(join(root, "node_modules"), project.join("node_modules"));
  const fixture = join(root, "apps/banyan/fixtures/pantry");
  cpSync(fixture, project.join("services/pantry"), { recursive: true });
  const configuration = {
    http: { port: 0 },
    log: { level: "error" },
    engines: { bus: "rabbitmq" },
    rabbitmq: { url, heartbeatS: 1, publishTimeoutMs: 1000 },
  };
  writeFileSync(project.join("banyan.yaml"), JSON.stringify(configuration));
  return project;
}

interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function run(project: TemporaryDirectory, line: string): Promise<Run> {
  await using child = spawnNode(bin, line.split(" "), { cwd: project.path, env });
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

test(
  "an event enqueued while RabbitMQ is down arrives, dies, and is healed",
  { skip },
  async () => {
    await using server = await openRabbitmq();
    await using project = await makeProject(server.url);
    await using node = spawnNode(bin, ["up"], { cwd: project.path, env });
    await node.waitForLine(/Ctrl-C stops it/, patience);
    const shows = (line: string, pattern: RegExp): Promise<true> => {
      const look = async (): Promise<boolean> => pattern.test((await run(project, line)).stdout);
      return until(look, { what: `${line} shows ${pattern}`, ...patience });
    };
    await shows("events buffer", /^rabbitmq +connected +0 +0 /m);
    await server.syncDeclared();
    await server.stop();
    await shows("events buffer", /^rabbitmq +away +0 +0 /m);
    const safe = await run(project, "events publish pantry.filled jar=bad count=1");
    assert.deepEqual([safe.code === 0, /MESSAGING_UNAVAILABLE/.test(safe.stderr)], [false, true]);
    const enqueue = "events publish pantry.filled jar=bad count=1 --mode enqueue";
    assert.match((await run(project, enqueue)).stdout, /^enqueued [0-9a-f-]{36}$/m);
    await shows("events buffer", /^rabbitmq +away +1 +0 /m);
    await server.start();
    const list = "events dead-letters list --subscription taster.onFilled";
    await shows(list, /taster\.onFilled +pantry\.filled/);
    await shows("events buffer", /^rabbitmq +connected +0 +0 /m);
    await run(project, "state set taster.mended bad by=me");
    const redrive = "events dead-letters redrive --subscription taster.onFilled --all --yes";
    assert.equal((await run(project, redrive)).stdout, "redriven 1\n");
    await shows("state get taster.tasted bad", /"count": ?1/);
    await node.kill();
  },
);

test("a mode that is none is refused with what there is", async () => {
  await using project = await temporaryDirectory("mode");
  const { code, stderr } = await run(project, "events publish a.b --mode soon");
  assert.deepEqual([code, /--mode is safe or enqueue, not "soon"/.test(stderr)], [2, true]);
});
