/** `banyan events topics`: what is published, who listens, and what waits for whom. */

import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { numberOf, recordsOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import type { Terminal } from "../terminal.ts";
import { oneLine, textTable } from "../text-table.ts";
import { ageText } from "../time-text.ts";

type Row = Readonly<Record<string, unknown>>;

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const answer = await askNode(await findNode(command), "/node/events/topics");
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const topics = recordsOf(answer["topics"]);
  const groups = recordsOf(answer["groups"]);
  if (topics.length === 0 && groups.length === 0) {
    terminal.note(terminal.styleNote("faint", "No service of this node publishes events."));
    return;
  }
  terminal.print(topicTable(topics, terminal));
  if (groups.length > 0) terminal.print(`\n${groupTable(groups, terminal)}`);
}

function topicTable(topics: readonly Row[], { style }: Terminal): string {
  const head = ["TOPIC", "DURABILITY", "BUS", "SUBSCRIBERS"].map((cell) => style("faint", cell));
  const rows = topics.map((row) => [
    style("name", textOf(row["topic"])),
    textOf(row["durability"]),
    textOf(row["bus"]),
    oneLine(
      recordsOf(row["subscribers"])
        .map(({ name, delivery }) => `${textOf(name)} (${textOf(delivery)})`)
        .join(", ") || "nobody in this node",
    ),
  ]);
  return textTable([head, ...rows]);
}

/** A group without a member only collects, which is worth a colour. */
function groupTable(groups: readonly Row[], { style }: Terminal): string {
  const titles = ["SUBSCRIPTION", "TOPIC", "DELIVERY", "MEMBERS", "WAIT", "RUN", "RETRY", "DELAY"];
  const head = [...titles, "OLDEST"].map((cell) => style("faint", cell));
  const rows = groups.map((row) => {
    const members = numberOf(row["members"]);
    const count = (key: string): string => String(numberOf(row[key]));
    return [
      style("name", oneLine(textOf(row["name"]))),
      oneLine(textOf(row["topic"])),
      textOf(row["delivery"]),
      members === 0 ? style("warning", "0") : String(members),
      count("buffered"),
      count("running"),
      count("retrying"),
      count("delayed"),
      ageText(numberOf(row["lagMs"])),
    ];
  });
  return textTable([head, ...rows]);
}
