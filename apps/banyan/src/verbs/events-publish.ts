/** `banyan events publish <topic> …`: the payload is judged by the schema of the event. */

import type { Command } from "../command.ts";
import { delayTimeMax, parseDuration } from "../duration.ts";
import { readInput, valueFrom } from "../input-words.ts";
import { cliErrors } from "../errors.ts";
import { findNode } from "../node-address.ts";
import { recordOf, recordsOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";
import { oneLine } from "../text-table.ts";

/** What `events tail` is called in the node: it shows an event and keeps none. */
const tailNames = "node.tail-";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const [topic = "", ...words] = command.args;
  const delay = flags.text("delay");
  const eventId = flags.text("event-id");
  const correlationId = flags.text("correlation-id");
  const mode = modeOf(flags.text("mode"));
  const delayMs = delay === undefined ? undefined : parseDuration(delay, "--delay", delayTimeMax);
  const input = await readInput(words);
  const node = await findNode(command);
  const { topics, groups } = await askNode(node, "/node/events/topics");
  const row = recordsOf(topics).find((each) => each["topic"] === topic);
  const answer = await askNode(node, "/node/events/publish", {
    topic,
    payload: valueFrom(input, recordOf(row?.["payload"]), `The event ${topic}`),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(eventId === undefined ? {} : { eventId }),
    ...(correlationId === undefined ? {} : { correlationId }),
    ...(mode === undefined ? {} : { mode }),
    ...(flags.has("mandatory") ? { mandatory: true } : {}),
  });
  if (terminal.json) {
    terminal.print(JSON.stringify(answer));
    return;
  }
  const done = mode === "enqueue" ? "enqueued" : "published";
  terminal.print(`${done} ${textOf(answer["eventId"])}`);
  if (hasListener(topic, recordsOf(row?.["subscribers"]), recordsOf(groups))) return;
  const warning = `nobody listens to ${oneLine(topic)} in this node, so the event is kept nowhere`;
  terminal.note(terminal.styleNote("warning", warning));
}

/** @throws CLI_USAGE */
function modeOf(mode: string | undefined): string | undefined {
  if (mode === undefined || mode === "safe" || mode === "enqueue") return mode;
  throw cliErrors.CLI_USAGE(`--mode is safe or enqueue, not ${JSON.stringify(mode)}.`, {
    details: { fix: "Write --mode enqueue, or leave it out." },
  });
}

type Row = Readonly<Record<string, unknown>>;

/** A group without members collects, so it listens too; a subscription to a pattern may. */
function hasListener(topic: string, subscribers: readonly Row[], groups: readonly Row[]): boolean {
  if (subscribers.length > 0) return true;
  return groups.some((group) => {
    const wanted = textOf(group["topic"]);
    if (textOf(group["name"]).startsWith(tailNames)) return false;
    return wanted === topic || /[*#]/.test(wanted);
  });
}
