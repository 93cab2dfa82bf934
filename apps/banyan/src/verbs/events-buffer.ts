/** `banyan events buffer`: what the node has for the servers of its buses, and is not confirmed. */

import { bytesText } from "../backup-output.ts";
import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { numberOf, recordOf, recordsOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import type { Terminal } from "../terminal.ts";
import { oneLine, textTable } from "../text-table.ts";
import { ageText } from "../time-text.ts";

export async function run(command: Command): Promise<void> {
  const { terminal } = command;
  const answer = await askNode(await findNode(command), "/node/events/buffer");
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const buses = recordsOf(answer["buses"]);
  const networked = buses.filter((bus) => bus["outbound"] !== undefined);
  if (networked.length > 0) terminal.print(bufferTable(networked, terminal));
  if (networked.length === buses.length) return;
  const local = buses
    .filter((bus) => bus["outbound"] === undefined)
    .map(({ name }) => textOf(name));
  const says = `Nothing waits for a server where there is none: ${oneLine(local.join(", "))}.`;
  terminal.note(terminal.styleNote("faint", says));
}

type Row = Readonly<Record<string, unknown>>;

function bufferTable(buses: readonly Row[], { style }: Terminal): string {
  const titles = ["BUS", "SERVER", "NOT SENT", "UNCONFIRMED", "SIZE", "OLDEST", "LIMIT", "LOST"];
  const head = titles.map((cell) => style("faint", cell));
  const rows = buses.map((bus) => {
    const outbound = recordOf(bus["outbound"]) ?? {};
    const lost = numberOf(bus["enqueueFailed"]);
    return [
      style("name", textOf(bus["name"])),
      serverText(outbound, style),
      String(numberOf(outbound["waiting"])),
      String(numberOf(outbound["unconfirmed"])),
      bytesText(numberOf(outbound["bytes"])),
      ageText(numberOf(outbound["oldestMs"])),
      String(numberOf(outbound["limit"])),
      lost === 0 ? "0" : style("warning", String(lost)),
    ];
  });
  return textTable([head, ...rows]);
}

function serverText(outbound: Row, style: Terminal["style"]): string {
  const { blocked } = outbound;
  if (blocked !== undefined) return style("warning", oneLine(`blocked: ${textOf(blocked)}`));
  return outbound["connected"] === true ? "connected" : style("warning", "away");
}
