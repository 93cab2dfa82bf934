/** `banyan events dead-letters show <id>`: the message and what went wrong with it. */

import type { Command } from "../command.ts";
import { findNode } from "../node-address.ts";
import { numberOf, recordOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { oneLine, prettyJson, textTable } from "../text-table.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, args } = command;
  const [id] = args;
  const answer = await askNode(await findNode(command), "/node/events/deadLetters/get", { id });
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const letter = recordOf(answer["letter"]) ?? {};
  const error = recordOf(letter["error"]) ?? {};
  const headers = Object.entries(recordOf(answer["headers"]) ?? {});
  const attempts = numberOf(letter["attempts"]);
  const facts = [
    ["id", textOf(letter["id"])],
    ["subscription", `${textOf(letter["subscription"])} (${textOf(letter["delivery"])})`],
    ["topic", `${textOf(letter["topic"])} on ${textOf(letter["bus"])}`],
    ["event", `${textOf(letter["eventId"])} of ${textOf(letter["timestamp"])}`],
    ["dead since", textOf(letter["deadAt"])],
    [
      "reason",
      `${textOf(letter["reason"])} after ${attempts} ${attempts === 1 ? "attempt" : "attempts"}`,
    ],
    ["error", `${textOf(error["code"])}: ${textOf(error["message"])}`],
  ].map(([name = "", text = ""]) => [terminal.style("faint", name), oneLine(text)]);
  terminal.print(textTable(facts));
  if (answer["errorDetails"] !== undefined) {
    terminal.print(`\n${terminal.style("faint", "ERROR DETAILS")}`);
    terminal.print(prettyJson(answer["errorDetails"]));
  }
  const stack = textOf(answer["errorStack"]);
  if (stack !== "") {
    const lines = stack.split("\n").map((line) => `  ${oneLine(line)}`);
    terminal.print(`\n${terminal.style("faint", "STACK")}\n${lines.join("\n")}`);
  }
  if (headers.length > 0) {
    const rows = headers.map(([name, value]) => [oneLine(name), oneLine(textOf(value))]);
    terminal.print(`\n${terminal.style("faint", "HEADERS")}\n${textTable(rows, "  ")}`);
  }
  terminal.print(`\n${terminal.style("faint", "BODY")}`);
  terminal.print(prettyJson(answer["body"]));
}
