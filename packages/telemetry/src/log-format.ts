/** The two forms of a log line: JSON for machines, words for a terminal. */

import type { LogFields } from "@banyan/kernel";
import { toLoggableFields, toLoggableText } from "./loggable.ts";
import type { Loggable, LoggableObject } from "./loggable.ts";

export interface LogRecord {
  /** Wall clock. */
  readonly timeMs: number;
  readonly level: "debug" | "info" | "warn" | "error";
  readonly message: string;
  readonly fields: LogFields | undefined;
}

/** A record as one line of text, without the newline. */
export type LogFormat = (record: LogRecord) => string;

/** Names that a line has of its own; a field of that name gets a `_` in front. */
const ownNames = new Set(["time", "level", "message"]);

/** `{"time":"2025-01-01T00:00:00.000Z","level":"info","message":"…", …fields}`. */
export const formatJson: LogFormat = ({ timeMs, level, message, fields }) => {
  const text = JSON.stringify(toLoggableText(message));
  const head = `{"time":"${isoOf(timeMs)}","level":"${level}","message":${text}`;
  if (fields === undefined) return `${head}}`;
  const rest = JSON.stringify(renamed(toLoggableFields(fields)));
  return rest === "{}" ? `${head}}` : `${head},${rest.slice(1)}`;
};

export interface PrettyOptions {
  /** Wraps a part of the line in colour. Default: no colour; whoever owns the terminal decides. */
  readonly paint?: (style: PrettyStyle, text: string) => string;
}

/** What a part of the line is. */
export type PrettyStyle = LogRecord["level"] | "time" | "key" | "stack";

/** `00:00:00.000 info  message  key=value`, the stack of an error below. Time is UTC. */
export function formatPretty(record: LogRecord, options: PrettyOptions = {}): string {
  const paint = options.paint ?? ((_style: PrettyStyle, text: string) => text);
  const { level } = record;
  const message = printable(toLoggableText(record.message));
  const fields = record.fields === undefined ? {} : toLoggableFields(record.fields);
  const below: string[] = [];
  const words = Object.entries(fields).map(([key, value]) => {
    if (isErrorShape(value)) collectStacks(value, "", below);
    return `${paint("key", `${printable(key)}=`)}${wordOf(value)}`;
  });
  const time = isoOf(record.timeMs).slice(11, 23);
  const head = `${paint("time", time)} ${paint(level, level.padEnd(5))} ${message}`;
  const line = words.length === 0 ? head : `${head}  ${words.join(" ")}`;
  return [line, ...below.map((text) => paint("stack", text))].join("\n");
}

function wordOf(value: Loggable): string {
  if (isErrorShape(value)) {
    const name = plainOf(value["code"]) ?? plainOf(value["name"]) ?? "Error";
    return printable(`${name}: ${plainOf(value["message"]) ?? ""}`);
  }
  if (typeof value === "string" && /^[^\s"=]+$/.test(value)) return printable(value);
  return printable(JSON.stringify(value));
}

function plainOf(value: Loggable | undefined): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

/** The frames of an error and of its causes, indented; the message is on the line already. */
function collectStacks(error: LoggableObject, title: string, into: string[]): void {
  if (title !== "") into.push(`    ${title}${wordOf(error)}`);
  const stack = error["stack"];
  if (typeof stack === "string") {
    const frames = stack.split("\n").filter((line) => /^\s+at /.test(line));
    for (const frame of frames) into.push(`    ${printable(frame.trim())}`);
  }
  const { cause } = error;
  if (cause !== undefined && isErrorShape(cause)) collectStacks(cause, "caused by ", into);
  else if (cause !== undefined) into.push(`    caused by ${wordOf(cause)}`);
}

function isErrorShape(value: Loggable): value is LoggableObject {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    "stack" in value &&
    "message" in value &&
    "name" in value
  );
}

/** Control characters and text-direction marks are spelt out: a value cannot steer a terminal. */
function printable(text: string): string {
  return text.replace(
    /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g,
    (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function renamed(fields: LoggableObject): LoggableObject {
  for (const name of ownNames) {
    const value = fields[name];
    if (value === undefined) continue;
    delete fields[name];
    fields[`_${name}`] = value;
  }
  return fields;
}

// Lines come in bursts of the same millisecond, and making an ISO text costs as much as the rest.
let lastMs = Number.NaN;
let lastIso = "";

function isoOf(timeMs: number): string {
  if (timeMs !== lastMs) {
    lastIso = new Date(timeMs).toISOString();
    lastMs = timeMs;
  }
  return lastIso;
}
