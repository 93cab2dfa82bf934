/** `banyan events publish <topic> …`: the payload is judged by the schema of the event. */

import type { Command } from "../command.ts";
import { futureTimeMax, parseDuration } from "../duration.ts";
import { readInput, valueFrom } from "../input-words.ts";
import { findNode } from "../node-address.ts";
import { recordOf, recordsOf, textOf } from "../node-answers.ts";
import { askNode } from "../node-client.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const [topic = "", ...words] = command.args;
  const delay = flags.text("delay");
  const eventId = flags.text("event-id");
  const delayMs = delay === undefined ? undefined : parseDuration(delay, "--delay", futureTimeMax);
  const input = await readInput(words);
  const node = await findNode(command);
  const { topics } = await askNode(node, "/node/events/topics");
  const row = recordsOf(topics).find((each) => each["topic"] === topic);
  const answer = await askNode(node, "/node/events/publish", {
    topic,
    payload: valueFrom(input, recordOf(row?.["payload"]), `The event ${topic}`),
    ...(delayMs === undefined ? {} : { delayMs }),
    ...(eventId === undefined ? {} : { eventId }),
  });
  if (terminal.json) terminal.print(JSON.stringify(answer));
  else terminal.print(`published ${textOf(answer["eventId"])}`);
}
