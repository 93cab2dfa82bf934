/**
 * Runs a node in this process: opens, announces, waits for a stop signal or for a part that says
 * the node should end, drains.
 */

import { openNode } from "@banyan/host";
import type { Node, NodeOptions } from "@banyan/host";
import { isBanyanError, systemClock } from "@banyan/kernel";
import { openDataDirectory } from "@banyan/sqlite";
import { removeNodeRecord, writeNodeRecord } from "./node-record.ts";
import { reportError } from "./report-error.ts";
import { readyReport } from "./ready-report.ts";
import type { Command } from "./command.ts";
import { checkWorkspace } from "./check-workspace.ts";
import type { StopSignals } from "./stop-signals.ts";
import type { Terminal } from "./terminal.ts";
import { openWorkspace } from "./workspace.ts";

/** A service that forgot a timer or a socket must not keep a stopped node's process. */
const lingerMs = 2000;

/** Resolves with the exit code: 0 after a signal, that of the error's kind after a failure. */
export async function runNode(command: Command, signals: StopSignals): Promise<number> {
  const { terminal } = command;
  const workspace = await openWorkspace(command);
  if (workspace.offences.length > 0) {
    const { report } = await checkWorkspace(command);
    if (report !== undefined) throw report;
  }
  const { settings, options } = workspace;
  const directory = () => openDataDirectory(settings.dataDirectory);
  await using node = await startNode({ ...options, directory }, signals, terminal);
  if (node === undefined) {
    endSoon();
    return 0;
  }
  writeNodeRecord(settings.dataDirectory, node, options.version ?? "");
  terminal.print(await readyReport(node, settings, command));
  const ending = await Promise.race([signals.first, node.failed]);
  if (typeof ending === "string") {
    const words = `${ending}: draining; once more ends it at once`;
    say(terminal, { event: "draining", signal: ending }, words);
  } else say(terminal, { event: "draining", code: ending.code }, `${ending.code}: draining`);
  // Nobody is to be sent here any more.
  removeNodeRecord(settings.dataDirectory);
  await node.close();
  const { lost } = node.drained;
  say(terminal, { event: "stopped", lost }, farewell(lost));
  const exitCode = typeof ending === "string" ? 0 : reportError(ending, terminal);
  endSoon(exitCode);
  return exitCode;
}

function farewell(lost: number): string {
  if (lost === 0) return "stopped";
  const events = lost === 1 ? "1 enqueued event is" : `${lost} enqueued events are`;
  return `stopped; ${events} not safe with the server, and named on the log`;
}

/** What was left behind ends with the process. By now the log is written: a stop flushes it. */
function endSoon(exitCode = 0): void {
  systemClock.setTimer(lingerMs, () => process.exit(exitCode));
}

/** `undefined` when a signal came first: what had started has been stopped again, as asked. */
async function startNode(
  options: NodeOptions,
  signals: StopSignals,
  terminal: Terminal,
): Promise<Node | undefined> {
  const starting = new AbortController();
  // Once the node is ready nobody listens to this any more.
  void signals.first.then((signal) => starting.abort(signal));
  try {
    return await openNode({ ...options, signal: starting.signal });
  } catch (error) {
    const reason: unknown = starting.signal.reason;
    if (!starting.signal.aborted || !isBanyanError(error, "NODE_START_FAILED")) throw error;
    say(terminal, { event: "stopped", signal: reason }, `${String(reason)}: ${error.message}`);
    return undefined;
  }
}

/** A line about the node: an event for machines, words for people. */
function say(terminal: Terminal, event: object, words: string): void {
  if (terminal.json) terminal.print(JSON.stringify(event));
  else terminal.note(terminal.styleNote("faint", words));
}
