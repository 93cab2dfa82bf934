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
  /** Levels of single services. */
  readonly serviceLevels?: Readonly<Record<string, LogLevel>> | undefined;
  /** On every line: the node's name, its version. */
  readonly fields?: LogFields;
  /** Default `formatJson`. */
  readonly format?: LogFormat;
  /**
   * What every line has that does not say so itself: the call that is current. Asked when a line is
   * written, and only where it has no `traceId` yet.
   */
  readonly ambient?: (() => LogFields | undefined) | undefined;
}

/** A log whose levels can be changed while it is in use, for all its children at once. */
export interface LevelledLog extends Log {
  level: LogLevel;
  /** Levels of single services: of the lines whose field `service` was given to a `child`. */
  readonly serviceLevels: ReadonlyMap<string, LogLevel>;
  /** Gives a service a level of its own; `undefined` lets it follow `level` again. */
  setServiceLevel(service: string, level: LogLevel | undefined): void;
  /** Lines written since the start, by level. */
  readonly counts: Readonly<Record<LogRecord["level"], number>>;
  child(fields: LogFields): LevelledLog;
}

/**
 * @example
 * const log = createLog({ write: (line) => lines.push(line), level: "info" });
 * log.child({ service: "greeter" }).warn("store is slow", { tookMs: 812 });
 */
export function createLog(options: LogOptions): LevelledLog {
  const { level = LogLevel.Info, write, clock = systemClock, format = formatJson } = options;
  const levels = new Levels(level, options.serviceLevels ?? {});
  const counts = { debug: 0, info: 0, warn: 0, error: 0 };
  const core = { levels, counts, write, clock, format, ambient: options.ambient };
  return new LineLog(core, options.fields, levels.ofAll);
}

/** True for the name of a level. */
export function isLogLevel(value: unknown): value is LogLevel {
  return typeof value === "string" && Object.hasOwn(ranks, value);
}

/** The least rank that is written; shared by all logs it holds for: a change reaches them. */
interface Threshold {
  rank: number;
}

/** The level of all, and of single services. */
class Levels {
  readonly ofAll: Threshold;
  level: LogLevel;
  readonly own = new Map<string, LogLevel>();
  readonly #ofServices = new Map<string, Threshold>();

  constructor(level: LogLevel, services: Readonly<Record<string, LogLevel>>) {
    this.level = level;
    this.ofAll = { rank: ranks[level] };
    for (const [service, each] of Object.entries(services)) this.set(service, each);
  }

  of(service: string): Threshold {
    let threshold = this.#ofServices.get(service);
    if (threshold === undefined) {
      threshold = { rank: ranks[this.own.get(service) ?? this.level] };
      this.#ofServices.set(service, threshold);
    }
    return threshold;
  }

  setAll(level: LogLevel): void {
    this.level = level;
    this.ofAll.rank = ranks[level];
    for (const [service, threshold] of this.#ofServices) {
      if (!this.own.has(service)) threshold.rank = ranks[level];
    }
  }

  set(service: string, level: LogLevel | undefined): void {
    if (level === undefined) this.own.delete(service);
    else this.own.set(service, level);
    this.of(service).rank = ranks[level ?? this.level];
  }
}

/** What a log and all its children share. */
interface Core {
  readonly levels: Levels;
  readonly counts: Record<LogRecord["level"], number>;
  readonly write: (line: string) => void;
  readonly clock: Clock;
  readonly format: LogFormat;
  readonly ambient: (() => LogFields | undefined) | undefined;
}

class LineLog implements LevelledLog {
  readonly #core: Core;
  readonly #fields: LogFields | undefined;
  readonly #threshold: Threshold;

  constructor(core: Core, fields: LogFields | undefined, threshold: Threshold) {
    this.#core = core;
    this.#fields = fields;
    this.#threshold = threshold;
  }

  get level(): LogLevel {
    return this.#core.levels.level;
  }

  set level(level: LogLevel) {
    this.#core.levels.setAll(level);
  }

  get serviceLevels(): ReadonlyMap<string, LogLevel> {
    return this.#core.levels.own;
  }

  setServiceLevel(service: string, level: LogLevel | undefined): void {
    this.#core.levels.set(service, level);
  }

  get counts(): Readonly<Record<LogRecord["level"], number>> {
    return { ...this.#core.counts };
  }

  debug(message: string, fields?: LogFields): void {
    if (this.#threshold.rank <= 0) this.#write("debug", message, fields);
  }

  info(message: string, fields?: LogFields): void {
    if (this.#threshold.rank <= 1) this.#write("info", message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    if (this.#threshold.rank <= 2) this.#write("warn", message, fields);
  }

  error(message: string, fields?: LogFields): void {
    if (this.#threshold.rank <= 3) this.#write("error", message, fields);
  }

  child(fields: LogFields): LevelledLog {
    const { service } = fields;
    const threshold = typeof service === "string" ? this.#core.levels.of(service) : this.#threshold;
    return new LineLog(this.#core, this.#merged(fields), threshold);
  }

  #write(level: LogRecord["level"], message: string, fields: LogFields | undefined): void {
    const { write, clock, format, counts, ambient } = this.#core;
    counts[level] += 1;
    let all = this.#merged(fields);
    if (all?.["traceId"] === undefined) {
      const around = ambient?.();
      // What the line says itself stands first, and wins.
      if (around !== undefined) all = { ...all, ...around, ...all };
    }
    write(format({ timeMs: clock.nowMs(), level, message, fields: all }));
  }

  #merged(fields: LogFields | undefined): LogFields | undefined {
    if (this.#fields === undefined) return fields;
    return fields === undefined ? this.#fields : { ...this.#fields, ...fields };
  }
}
