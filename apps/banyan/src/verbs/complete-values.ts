/**
 * `banyan complete-values <kind> [words…]`: what may stand at a place, one per line, for a shell
 * that completes. Somebody waits for a key press to be answered: it is quick, or silent.
 */

import { systemClock } from "@banyan/kernel";
import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { operationRows, recordOf, recordsOf, serviceRows, textOf } from "../node-answers.ts";
import { askCall } from "../node-client.ts";
import { logLevels } from "../log-level-words.ts";
import { shortIds, traceRows } from "../trace-answer.ts";

/** Longer, and the terminal would seem to hang. */
const patienceMs = 700;

type Ask = (path: string, body?: unknown) => Promise<Record<string, unknown>>;

const kinds: Readonly<Record<string, (ask: Ask, words: readonly string[]) => Promise<string[]>>> = {
  service: services,
  "service.operation": async (ask) => {
    const names = await services(ask);
    const lists = await Promise.all(
      names.map(async (name) => [
        name,
        ...(await operations(ask, name)).map((each) => `${name}.${each}`),
      ]),
    );
    return lists.flat();
  },
  operation: (ask, [service = ""]) => operations(ask, service),
  store: async (ask) =>
    recordsOf((await ask("/node/state/stores"))["stores"]).map(({ store }) => textOf(store)),
  topic: async (ask) =>
    recordsOf((await ask("/node/events/topics"))["topics"]).map(({ topic }) => textOf(topic)),
  "operation-field": async (ask, [service, operation]) =>
    fieldsOf(operationRows(await ask("/node/describe", { service, operation }))[0]?.request),
  "store-field": async (ask, [store]) => {
    const rows = recordsOf((await ask("/node/state/stores"))["stores"]);
    return fieldsOf(rows.find((row) => row["store"] === store)?.["value"]);
  },
  "topic-field": async (ask, [topic]) => {
    const rows = recordsOf((await ask("/node/events/topics"))["topics"]);
    return fieldsOf(rows.find((row) => row["topic"] === topic)?.["payload"]);
  },
  subscription: async (ask) =>
    recordsOf((await ask("/node/events/topics"))["groups"]).map(({ name }) => textOf(name)),
  trace: async (ask) =>
    shortIds(traceRows(await ask("/node/traces/list")).map(({ traceId }) => traceId)),
  "trace-name": async (ask) => {
    const rows = traceRows(await ask("/node/traces/list", { limit: tracesMax }));
    return [...new Set(rows.map(({ name }) => name))];
  },
  // Levels are known without a node.
  "service-or-level": async (ask) => [...logLevels, ...(await services(ask).catch(() => []))],
};

/** What the node answers at most. */
const tracesMax = 1000;

export async function run(command: Command): Promise<void> {
  const [kind = "", ...words] = command.args;
  const { abort, signal } = patience();
  try {
    const found = await kinds[kind]?.(askWith(command, signal), words);
    const clean = (found ?? []).filter((word) => /^[\w.@:/#*-]+=?$/.test(word));
    if (clean.length > 0) command.terminal.print(clean.join("\n"));
  } catch {
    // No node, no token, no answer in time: then there is nothing to propose, and nothing to say.
  } finally {
    abort();
  }
}

/** `name=` for each field of an object. */
function fieldsOf(schema: unknown): string[] {
  const fields = Object.keys(recordOf(recordOf(schema)?.["properties"]) ?? {});
  return fields.map((name) => `${name}=`);
}

/** A signal that fires when it takes too long. */
function patience(): { abort: () => void; signal: AbortSignal } {
  const controller = new AbortController();
  const cancel = systemClock.setTimer(patienceMs, () => controller.abort());
  return { abort: cancel, signal: controller.signal };
}

/** The node is looked for with the first question. */
function askWith(command: Command, signal: AbortSignal): Ask {
  let node: Promise<NodeAddress> | undefined;
  return async (path, body = {}) => {
    node ??= findNode(command);
    return askCall(await node, { path, body, signal });
  };
}

async function services(ask: Ask): Promise<string[]> {
  const rows = serviceRows(await ask("/node/services"));
  return rows.filter(({ state }) => state !== "disabled").map(({ name }) => name);
}

async function operations(ask: Ask, service: string): Promise<string[]> {
  return operationRows(await ask("/node/describe", { service })).map(({ name }) => name);
}
