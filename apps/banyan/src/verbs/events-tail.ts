/**
 * `banyan events tail [pattern]`: what is published from now on, one line each. Ctrl-C is how it is
 * meant to end, so it ends with 0.
 */

import { nearest } from "@banyan/kernel/internal";
import type { Command } from "../command.ts";
import { countFlag } from "../count-flag.ts";
import { cliErrors } from "../errors.ts";
import { findNode } from "../node-address.ts";
import type { NodeAddress } from "../node-address.ts";
import { numberOf, recordOf, recordsOf, textOf } from "../node-answers.ts";
import { askNode, callNode } from "../node-client.ts";
import { listenForStop } from "../stop-signals.ts";
import type { Terminal } from "../terminal.ts";
import { escaped, oneLine } from "../text-table.ts";
import { clockText } from "../time-text.ts";

/** Without wildcards; what is no pattern at all is the node's to refuse. */
const topicPattern = /^[\w-]+(?:\.[\w-]+)*$/;

type Bag = Readonly<Record<string, unknown>>;

export async function run(command: Command): Promise<void> {
  const { terminal, flags } = command;
  const [pattern] = command.args;
  const limit = countFlag(flags, "limit") ?? Number.POSITIVE_INFINITY;
  if (pattern === "") throw emptyPattern();
  const node = await findNode(command);
  if (pattern !== undefined) await warnOfUnknown(command, node, pattern);
  const ending = new AbortController();
  using signals = listenForStop();
  // The stream may be silent for hours: a signal ends the connection, not the next message.
  void signals.first.then(() => ending.abort());
  try {
    const answer = await callNode(node, {
      path: "/node/events/tail",
      body: pattern === undefined ? {} : { topic: pattern },
      signal: ending.signal,
    });
    if (answer.kind !== "frames") return;
    let shown = 0;
    for await (const frame of answer.frames) {
      const bag = recordOf(frame) ?? {};
      print(bag, terminal);
      if (bag["kind"] === "message") shown += 1;
      if (shown >= limit) return;
    }
    throw cliErrors.CLI_NOT_CONNECTED("The node has ended the stream: it is stopping.", {
      details: { where: node.url, fix: "Start the node, and this command, again." },
    });
  } catch (error) {
    if (!ending.signal.aborted) throw error;
  }
}

function emptyPattern(): Error {
  return cliErrors.CLI_USAGE("The pattern is empty.", {
    details: { fix: "Leave it out for everything, or write one, as in 'greeter.*'." },
  });
}

/** A mistyped topic would be waited for without an end; another node may publish it, though. */
async function warnOfUnknown(
  { terminal }: Command,
  node: NodeAddress,
  pattern: string,
): Promise<void> {
  if (!topicPattern.test(pattern) || terminal.json) return;
  const { topics } = await askNode(node, "/node/events/topics");
  const known = recordsOf(topics).map(({ topic }) => textOf(topic));
  if (known.includes(pattern)) return;
  const near = nearest(pattern, known);
  const words =
    `no service of this node publishes ${oneLine(pattern)}` +
    (near === undefined ? "" : `; did you mean ${near}?`);
  terminal.note(terminal.styleNote("warning", words));
}

function print(frame: Bag, terminal: Terminal): void {
  if (terminal.json) {
    terminal.print(JSON.stringify(frame));
    return;
  }
  const note = (words: string): void => terminal.note(terminal.styleNote("faint", words));
  if (frame["kind"] === "live") {
    note(`listening to ${oneLine(textOf(frame["pattern"]))}; Ctrl-C ends it`);
  } else if (frame["kind"] === "missed") {
    note(`${numberOf(frame["count"])} came faster than they could be shown and are left out`);
  } else terminal.print(messageLine(frame, terminal));
}

/** `12:00:01.234  greeter.greeted  {"name":"Ada"}`, in local time. */
function messageLine(frame: Bag, { style }: Terminal): string {
  const { eventId: _eventId, timestamp: _timestamp, ...fields } = recordOf(frame["body"]) ?? {};
  const body = recordOf(frame["body"]) === undefined ? frame["body"] : fields;
  const parts = [
    style("faint", clockText(textOf(frame["timestamp"]))),
    style("name", oneLine(textOf(frame["topic"]))),
    escaped(JSON.stringify(body) ?? ""),
  ];
  return parts.join("  ");
}
