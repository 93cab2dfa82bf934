/** `banyan log level [service] [level]`: what a node writes to its log, changed while it runs. */

import type { Command } from "../command.ts";
import { readLevelWords } from "../log-level-words.ts";
import type { LevelWish } from "../log-level-words.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { recordsOf, serviceRows, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import type { Terminal } from "../terminal.ts";
import { escaped, textTable } from "../text-table.ts";

type Bag = Readonly<Record<string, unknown>>;

export async function run(command: Command): Promise<void> {
  const { terminal, args, flags } = command;
  // Two words, or none, are understood without a node; so is what is wrong with them.
  let node: NodeAddress | undefined;
  const wish = await readLevelWords({
    words: args,
    reset: flags.has("reset"),
    services: async () => {
      node = await findNode(command);
      return serviceNames(node);
    },
  });
  node ??= await findNode(command);
  const answer = await ask(node, wish);
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  terminal.print(levelTable(answer, wish, terminal));
  if (wish.kind === "show") return;
  const note = (words: string): void => terminal.note(terminal.styleNote("faint", words));
  if (wish.kind === "set" && wish.service === undefined) {
    const isService = (await serviceNames(node)).includes(wish.level);
    if (isService) note(`The level of the service ${wish.level} takes two words.`);
  }
  const { service } = wish;
  const setting = service === undefined ? "log.level" : `log.services.${service}`;
  note(`Until the node stops; for good it is set in the configuration, as ${setting}.`);
}

async function serviceNames(node: NodeAddress): Promise<string[]> {
  const rows = serviceRows(await askNode(node, "/node/services"));
  return rows.filter(({ state }) => state !== "disabled").map(({ name }) => name);
}

function ask(node: NodeAddress, wish: LevelWish): Promise<Record<string, unknown>> {
  if (wish.kind === "show") return askNode(node, "/node/log/levels");
  const { service } = wish;
  return askNode(node, "/node/log/set", {
    ...(service === undefined ? {} : { service }),
    ...(wish.kind === "set" ? { level: wish.level } : {}),
  });
}

function levelTable(answer: Bag, wish: LevelWish, { style }: Terminal): string {
  const own = recordsOf(answer["services"]).map((row) => [textOf(row["service"]), row["level"]]);
  const level = textOf(answer["level"]);
  const rows = [[own.length === 0 ? "all services" : "all others", level], ...own];
  const { service } = wish;
  // The one that was asked for is shown also where it has no level of its own.
  if (service !== undefined && !own.some(([name]) => name === service)) {
    rows.push([service, `${level}, as all`]);
  }
  const head = ["LOG OF", "LEVEL"].map((title) => style("faint", title));
  const cells = rows.map(([name, text]) => [
    style("name", escaped(textOf(name))),
    escaped(textOf(text)),
  ]);
  return textTable([head, ...cells]);
}
