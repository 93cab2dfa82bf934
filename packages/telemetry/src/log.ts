/**
 * The structured log: levels, fields, children. Where lines go and how they look is handed in.
 *
 * A switched-off level costs one comparison; its fields are not even looked at.
 */

import { systemClock } from "@banyan/kernel";
import type { Clock, Log, LogFields } from "@banyan/kernel";
import { formatJson } from "./log-format.ts";
import type { LogFormat, LogRecord } from "./log-format.ts";

export const LogLevel = {
  Debug: "debug",
  Info: "info",
  Warn: "warn",
  Error: "error",
  Silent: "silent",
} as const;
export type LogLevel = (typeof LogLevel)[keyof typeof LogLevel];

const ranks: Readonly<Record<LogLevel, number>> = {
  debug: 0,
  info: 1,
  warn: 2,
  error: 3,
  silent: 4,
};

export interface LogOptions {
  /** The lowest level that is written. Default `info`. */
  readonly level?: LogLevel;
  /** Takes one line, without its newline: `createLineWriter(process.stderr).write`. */
  readonly write: (line: string) => void;
  /** Default: the system's. */
  readonly clock?: Clock;
  /** On every line: the node's name, its version. */
  readonly fields?: LogFields;
  /** Default `formatJson`. */
  readonly format?: LogFormat;
}

/** A log whose level can be changed while it is in use, for all its children at once. */
export interface LevelledLog extends Log {
  level: LogLevel;
  child(fields: LogFields): LevelledLog;
}

/**
 * @example
 * const log = createLog({ write: (line) => lines.push(line), level: "info" });
 * log.child({ service: "greeter" }).warn("store is slow", { tookMs: 812 });
 */
export function createLog(options: LogOptions): LevelledLog {
  const { level = LogLevel.Info, write, clock = systemClock, format = formatJson } = options;
  return new LineLog({ rank: ranks[level], level, write, clock, format }, options.fields);
}

/** True for the name of a level. */
export function isLogLevel(value: unknown): value is LogLevel {
  return typeof value === "string" && Object.hasOwn(ranks, value);
}

/** What a log and all its children share. */
interface Core {
  rank: number;
  level: LogLevel;
  readonly write: (line: string) => void;
  readonly clock: Clock;
  readonly format: LogFormat;
}

class LineLog implements LevelledLog {
  readonly #core: Core;
  readonly #fields: LogFields | undefined;

  constructor(core: Core, fields: LogFields | undefined) {
    this.#core = core;
    this.#fields = fields;
  }

  get level(): LogLevel {
    return this.#core.level;
  }

  set level(level: LogLevel) {
    this.#core.level = level;
    this.#core.rank = ranks[level];
  }

  debug(message: string, fields?: LogFields): void {
    if (this.#core.rank <= 0) this.#write("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.#core.rank <= 1) this.#write("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.#core.rank <= 2) this.#write("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    if (this.#core.rank <= 3) this.#write("error", message, fields);
  }

  child(fields: LogFields): LevelledLog {
    return new LineLog(this.#core, this.#merged(fields));
  }

  #write(level: LogRecord["level"], message: string, fields: LogFields | undefined): void {
    const { write, clock, format } = this.#core;
    write(format({ timeMs: clock.nowMs(), level, message, fields: this.#merged(fields) }));
  }

  #merged(fields: LogFields | undefined): LogFields | undefined {
    if (this.#fields === undefined) return fields;
    return fields === undefined ? this.#fields : { ...this.#fields, ...fields };
  }
}
