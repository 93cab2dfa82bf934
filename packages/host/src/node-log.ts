/** The node's log: the program's own, or lines on standard error by configuration. */

import type { Log, LogFields } from "@banyan/kernel";
import { currentCallContext } from "@banyan/kernel/internal";
import { createLineWriter, createLog, formatJson, formatPretty } from "@banyan/telemetry";
import type { LevelledLog, LineWriter, LogFormat } from "@banyan/telemetry";
import type { NodeConfig } from "./node-config.ts";
import type { ResolvedNodeOptions } from "./options.ts";

/** What a node writes to. */
export interface NodeLog {
  readonly log: Log;
  /** Set where the node made the log itself: whose levels can be changed, and where lines go. */
  readonly own: { readonly log: LevelledLog; readonly writer: LineWriter } | undefined;
}

/** Opens the log; buffered lines are flushed when the stack of disposables is unwound. */
export function openNodeLog(
  options: ResolvedNodeOptions,
  config: NodeConfig["log"],
  disposables: AsyncDisposableStack,
): NodeLog {
  if (options.log !== undefined) return { log: options.log, own: undefined };
  const format = pretty(config) ? formatPretty : formatJson;
  const writer = writerOf(format);
  disposables.defer(() => writer.flush());
  const log = createLog({
    level: config.level,
    serviceLevels: config.services,
    write: writer.write,
    clock: options.clock,
    format,
    ambient: currentCallFields,
  });
  return { log, own: { log, writer } };
}

/** So that a line belongs to its trace whichever log wrote it. */
function currentCallFields(): LogFields | undefined {
  const call = currentCallContext();
  if (call === undefined) return undefined;
  const { operation, trace } = call;
  return { operation, traceId: trace.traceId, spanId: trace.spanId };
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
