/** docs/guides/fleet.md, section 1, as it stands: its commands are run, on servers of the test. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { test } from "node:test";
import {
  bareEnvironment,
  findReasonToSkip,
  freePort,
  openPostgres,
  openRabbitmq,
  openRedisServer,
  postgresPrograms,
  rabbitmqPrograms,
  redisPrograms,
  spawnNode,
  temporaryDirectory,
} from "@banyan/testbed";
import type { Child } from "@banyan/testbed";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const bin = fileURLToPath(new URL("../../../apps/banyan/bin/banyan.js", import.meta.url));
const page = readFileSync(new URL("../../../docs/guides/fleet.md", import.meta.url), "utf8");
const skip =
  (await findReasonToSkip(redisPrograms)) ||
  (await findReasonToSkip(postgresPrograms)) ||
  (await findReasonToSkip(rabbitmqPrograms));

/** Lines of the shell blocks of a section, and of what is shown with a prompt. */
function commandsOf(section: string): string[] {
  const from = page.indexOf(`## ${section}`);
  const text = page.slice(from, page.indexOf("\n## ", from + 1));
  const blocks = [...text.matchAll(/```sh\n([^]*?)```/g)].map(([, block = ""]) => block);
  return blocks.flatMap((block) => block.trim().split("\n"));
}

/** As a shell would split it, for the quotes that the page has. */
function wordsOf(command: string): string[] {
  const found = command.match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
  return found.map((word) => word.replaceAll('"', ""));
}

test("the commands of the guide make three nodes of one", { skip, timeout: 180_000 }, async () => {
  await using all = new AsyncDisposableStack();
  const folder = all.use(await temporaryDirectory("fleet-guide"));
  const postgres = all.use(await openPostgres());
  const redis = all.use(await openRedisServer({ listen: "tcp" }));
  const rabbitmq = all.use(await openRabbitmq());
  const commands = commandsOf("1.");
  const [compose, secret, ...rest] = commands;
  // No container engine here: the servers are the test's, at addresses that the page names too.
  assert.match(compose ?? "", /^docker compose -f examples\/order-desk\/compose\.yaml up -d$/);
  const file = /BANYAN_CONFIG=(\S+)/.exec(secret ?? "")?.[1];
  const named = ["BANYAN_POSTGRES_URL", "BANYAN_REDIS_URL", "BANYAN_RABBITMQ_URL"];
  for (const name of named) assert(page.includes(name), `the page does not name ${name}`);
  const env = {
    ...bareEnvironment(),
    BANYAN_CONFIG: file,
    BANYAN_MESH_SECRET: "a secret for the guide's own test, long enough",
    BANYAN_POSTGRES_URL: postgres.url,
    BANYAN_REDIS_URL: redis.url,
    BANYAN_RABBITMQ_URL: rabbitmq.url,
  };
  const run = async (command: string): Promise<Child> => {
    const port = await freePort();
    const own = command
      .replace(/ &$/, "")
      .replaceAll(".banyan/", `${folder.path}/`)
      .replace(/--port \d+/, `--port ${port}`);
    const [npx, banyan, ...words] = wordsOf(own);
    assert.deepEqual([npx, banyan], ["npx", "banyan"], command);
    return all.use(spawnNode(bin, words, { cwd: root, env }));
  };
  const ups = rest.filter((command) => command.endsWith(" &"));
  assert.equal(commands.indexOf(ups.at(-1) ?? "") + 1, 5, "it takes five commands");
  for (const up of ups) {
    const node = await run(up);
    await node.waitForLine(/Ctrl-C stops it/, { timeoutMs: 60_000 });
  }
  const printed: string[] = [];
  const shown = /^\$ (npx banyan mesh endpoints .*)$/m.exec(page)?.[1] ?? "";
  for (const command of [shown, ...rest.filter((each) => !ups.includes(each))]) {
    const isList = command.includes("orders list");
    for (let tries = 0; tries < 50; tries += 1) {
      const child = await run(command);
      assert.deepEqual(await child.exited, { code: 0, signal: null }, command);
      const text = child.lines.map((line) => line.text).join("\n");
      // An order is settled by events, a moment later.
      if (isList && !text.includes("confirmed")) continue;
      printed.push(text);
      break;
    }
  }
  assert.match(
    printed[0] ?? "",
    /one \(this one\) .*\n.*three .*\n.*two .* (?:up|degraded) {2,}(?:\d+%|-) +catalogue, orders/,
  );
  assert.match(printed.at(-1) ?? "", /"item": "tea-pot",\s+"count": 2,[^]*"status": "confirmed"/);
});
