/** A log that keeps its lines, for tests that say what is logged and what is not. */

import type { Log, LogFields } from "@banyan/kernel";

export interface RecordedLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields;
}

export interface RecordingLog extends Log {
  /** Every line so far, those of children included. */
  readonly lines: readonly RecordedLine[];
}

export function createRecordingLog(): RecordingLog {
  const lines: RecordedLine[] = [];
  return Object.assign(logInto(lines, {}), { lines });
}

function logInto(lines: RecordedLine[], own: LogFields): Log {
  const at =
    (level: RecordedLine["level"]) =>
    (message: string, fields?: LogFields): void => {
      lines.push({ level, message, fields: { ...own, ...fields } });
    };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    child: (fields) => logInto(lines, { ...own, ...fields }),
  };
}
