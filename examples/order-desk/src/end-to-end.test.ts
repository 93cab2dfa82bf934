import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { nodeContract, openNode } from "@banyan/host";
import { freePort, seedOf, spawnNode, temporaryDirectory } from "@banyan/testbed";
import type { Child } from "@banyan/testbed";
import catalogue from "./catalogue.service.ts";
import { describeOrderDesk } from "./end-to-end.ts";
import type { Desk, TailFrame } from "./end-to-end.ts";
import { httpClient } from "./http-client.ts";
import { findNode } from "./node-address.ts";
import orders from "./orders.service.ts";
import stock from "./stock.service.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const bin = fileURLToPath(new URL("../../../apps/banyan/bin/banyan.js", import.meta.url));
const readyTimeoutMs = 60_000; // a busy machine reads the sources in seconds

async function openInMemory(): Promise<Desk> {
  const node = await openNode({ services: [catalogue, stock, orders], inMemory: true });
  return {
    client: (contract) => node.client(contract),
    tail: () => node.client(nodeContract).events.tail({}),
    [Symbol.asyncDispose]: () => node.close(),
  };
}

/** The real command in a process of its own, on a file. */
async function openOnFile(): Promise<Desk> {
  const project = await temporaryDirectory("order-desk");
  const url = `http://localhost:${await freePort()}`;
  writeFileSync(
    project.join("banyan.yaml"),
    `http: { port: ${new URL(url).port} }\nlog: { level: warn }\ndiscover: [${folder}]\n`,
  );
  const command = (...words: string[]): Child => spawnNode(bin, words, { cwd: project.path, env });
  const start = async (): Promise<Child> => {
    const child = command("up");
    await child.waitForLine(/Ctrl-C stops it|"event":"ready"/, { timeoutMs: readyTimeoutMs });
    return child;
  };
  let child = await start();
  const node = findNode({ url, dataDirectory: project.join(".banyan") });
  return {
    client: (contract) => httpClient(contract, node),
    tail: () => framesOf(command("events", "tail", "#", "--json")),
    async crash() {
      await child.kill();
      child = await start();
    },
    async [Symbol.asyncDispose]() {
      await child[Symbol.asyncDispose]();
      await project[Symbol.asyncDispose]();
    },
  };
}

/** One frame for each line of JSON. */
async function* framesOf(tail: Child): AsyncGenerator<TailFrame> {
  await using child = tail;
  for (let from = 0; ;) {
    const { index, text } = await child.waitForLine(/^\{/, { from, timeoutMs: readyTimeoutMs });
    from = index + 1;
    yield JSON.parse(text) as TailFrame;
  }
}

/** A node refuses variables that it does not know. */
const env = Object.fromEntries(
  [...Object.keys(process.env), "BANYAN_TESTPOINTS"]
    .filter((name) => name.startsWith("BANYAN_"))
    .map((name) => [name, undefined]),
);

const seed = seedOf();
describeOrderDesk({ name: "a node in memory", open: openInMemory, seed });
describeOrderDesk({ name: "the command and its file", open: openOnFile, seed });
