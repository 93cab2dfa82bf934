/** The order desk run by the real command, in a process of its own: for tests. */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { AnyContract, Client } from "@banyan/kernel";
import { bareEnvironment, freePort, spawnNode, temporaryDirectory } from "@banyan/testbed";
import type { Child } from "@banyan/testbed";
import type { Desk, TailFrame } from "./end-to-end.ts";
import { httpClient } from "./http-client.ts";
import { findNode } from "./node-address.ts";

const folder = fileURLToPath(new URL("..", import.meta.url));
const bin = fileURLToPath(new URL("../../../apps/banyan/bin/banyan.js", import.meta.url));
const readyTimeoutMs = 60_000; // a busy machine reads the sources in seconds

/** A desk that can do everything that there is a check for. */
export type CommandDesk = Required<Desk> & {
  /** Ends it without warning; what it was doing is left as it is. */
  kill(): Promise<void>;
};

/**
 * Starts it in a folder of its own; what is configured is added to the least there must be.
 * @param services exactly these run; none named: all of the desk
 */
export async function openCommand(
  configuration: Readonly<Record<string, unknown>> = {},
  services: readonly string[] = [],
): Promise<CommandDesk> {
  const project = await temporaryDirectory("order-desk");
  const url = `http://localhost:${await freePort()}`;
  const complete = {
    http: { port: Number(new URL(url).port) },
    log: { level: "warn" },
    discover: [folder],
    ...configuration,
  };
  // JSON is YAML.
  writeFileSync(project.join("banyan.yaml"), JSON.stringify(complete));
  const command = (...words: string[]): Child => spawnNode(bin, words, { cwd: project.path, env });
  const start = async (): Promise<Child> => {
    const only = services.length === 0 ? [] : ["--services", services.join(",")];
    const child = command("up", ...only);
    await child.waitForLine(/Ctrl-C stops it|"event":"ready"/, { timeoutMs: readyTimeoutMs });
    return child;
  };
  let child = await start();
  const node = findNode({ url, dataDirectory: project.join(".banyan") });
  return {
    client: <C extends AnyContract>(contract: C): Client<C> => httpClient(contract, node),
    tail: () => framesOf(command("events", "tail", "#", "--json")),
    said: () =>
      child.lines
        .slice(-30)
        .map(({ text }) => text)
        .join("\n"),
    async kill() {
      await child.kill();
    },
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
    yield JSON.parse(text) as TailFrame; // the command prints nothing else
  }
}

const env = bareEnvironment();
