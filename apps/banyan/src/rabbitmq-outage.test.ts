/**
 * A node whose RabbitMQ is gone for good, with the policy that ends it: it says why, drains, names
 * what it could not bring there, and leaves with a code that has a supervisor start it again.
 */

import assert from "node:assert/strict";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import {
  bareEnvironment,
  findReasonToSkip,
  freePort,
  openRabbitmq,
  rabbitmqPrograms,
  spawnNode,
  temporaryDirectory,
  until,
} from "@banyan/testbed";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const bin = join(root, "apps/banyan/bin/banyan.js");
const skip = await findReasonToSkip(rabbitmqPrograms);
const patience = { timeoutMs: 60_000, everyMs: 50 };

const env = bareEnvironment();

test(
  "a node ends itself when RabbitMQ stays away, and loses nothing unnamed",
  { skip },
  async () => {
    await using server = await openRabbitmq();
    await using project = await temporaryDirectory("outage");
    mkdirSync(project.join("services"));
    symlinkSync(join(root, "node_modules"), project.join("node_modules"));
    cpSync(join(root, "apps/banyan/fixtures/pantry"), project.join("services/pantry"), {
      recursive: true,
    });
    const port = await freePort();
    const configuration = {
      http: { port },
      // Long enough that somebody sees it drain.
      node: { stopTimeoutMs: 4000 },
      log: { level: "error", format: "json" },
      engines: { bus: "rabbitmq" },
      // Long enough that a command can enqueue meanwhile.
      rabbitmq: { url: server.url, heartbeatS: 1, outboundPolicy: "stop", outboundAgeMaxMs: 3000 },
    };
    writeFileSync(project.join("banyan.yaml"), JSON.stringify(configuration));
    await using node = spawnNode(bin, ["up"], { cwd: project.path, env });
    await node.waitForLine(/Ctrl-C stops it/, patience);
    await server.kill();
    const enqueue = "events publish pantry.filled jar=plum count=1 --mode enqueue".split(" ");
    await using command = spawnNode(bin, enqueue, { cwd: project.path, env });
    await command.exited;
    const [, id = ""] = /^enqueued ([0-9a-f-]{36})$/m.exec(command.stdout) ?? [];
    assert.notEqual(id, "", command.stderr);

    const readiness = await until(
      async () => {
        const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
        const page = answer?.status === 503 ? await answer.text() : "";
        return page.includes('"phase":"draining"') && page;
      },
      { what: "It drains", ...patience },
    );
    assert.match(readiness, /"reason":"\d+ messages wait for RabbitMQ, which is away/);

    const { code } = await node.exited;
    assert.equal(code, 7, "unavailable");
    const { stderr } = node;
    assert.match(stderr, /"message":"the node cannot go on and stops, to be started again"/);
    assert.match(
      stderr,
      new RegExp(`"message":"enqueued messages are lost.*pantry\\.filled ${id}`),
    );
    assert.match(stderr, /^RABBITMQ_OUTAGE: draining$/m);
    assert.match(stderr, /^stopped; 1 enqueued event is not safe with the server/m);
    assert.match(stderr, /error: \d+ messages wait for RabbitMQ[^]*code: +RABBITMQ_OUTAGE/);
  },
);
