/** The node's log: the program's own, or lines on standard error by configuration. */

import type { Log } from "@banyan/kernel";
import { createLineWriter, createLog, formatJson, formatPretty } from "@banyan/telemetry";
import type { LineWriter, LogFormat } from "@banyan/telemetry";
import type { NodeConfig } from "./node-config.ts";
import type { ResolvedNodeOptions } from "./options.ts";

/** Opens the log; buffered lines are flushed when the stack of disposables is unwound. */
export function openNodeLog(
  options: ResolvedNodeOptions,
  config: NodeConfig["log"],
  disposables: AsyncDisposableStack,
): Log {
  if (options.log !== undefined) return options.log;
  const format = pretty(config) ? formatPretty : formatJson;
  const writer = writerOf(format);
  disposables.defer(() => writer.flush());
  return createLog({ level: config.level, write: writer.write, clock: options.clock, format });
}

const writers = new Map<LogFormat, LineWriter>();

/** One for all nodes of the process: they share its standard error, and a writer listens on it. */
function writerOf(format: LogFormat): LineWriter {
  const known = writers.get(format) ?? createLineWriter(process.stderr, { format });
  writers.set(format, known);
  return known;
}

function pretty({ format }: NodeConfig["log"]): boolean {
  return format === "pretty" || (format === "auto" && process.stderr.isTTY);
}
