/** The node's log: the program's own, or lines on standard error by configuration. */

import type { Log } from "@banyan/kernel";
import { createLineWriter, createLog, formatJson, formatPretty } from "@banyan/telemetry";
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
  const writer = createLineWriter(process.stderr, { format });
  disposables.defer(() => writer.flush());
  return createLog({ level: config.level, write: writer.write, clock: options.clock, format });
}

function pretty({ format }: NodeConfig["log"]): boolean {
  return format === "pretty" || (format === "auto" && process.stderr.isTTY);
}
