/** Lines that people can paste: a `curl` and a `banyan call` for an operation. */

import type { Command } from "./command.ts";
import { recordOf } from "./node-answers.ts";
import type { OperationRow } from "./node-answers.ts";

/** `curl -s -X POST http://localhost:7600/greeter/greet -H … -d …`. */
export function curlText(url: string, operation: OperationRow): string {
  const address = quoted(`${url}${operation.path}`);
  if (operation.kind === "raw") return `curl -s -X ${operation.method} ${address}`;
  const unbuffered = operation.kind === "stream" ? "-N " : "";
  const token =
    operation.access === "anonymous"
      ? ""
      : ` -H "authorization: Bearer $(cat .banyan/admin-token)"`;
  const body = quoted(JSON.stringify(operation.example ?? {}));
  return (
    `curl -s ${unbuffered}-X POST ${address}${token} ` +
    `-H 'content-type: application/json' -d ${body}`
  );
}

/**
 * How this command is typed where it was started: below npm (`npm start`, `npx`) it is not on the
 * shell's own path.
 */
export function commandName(env: Command["env"]): string {
  return env["npm_command"] === undefined ? "banyan" : "npx banyan";
}

/** `npx banyan call greeter greet name=Ada`. */
export function cliCallText(service: string, operation: OperationRow, env: Command["env"]): string {
  const start = `${commandName(env)} call ${service} ${operation.name}`;
  const example = recordOf(operation.example) ?? {};
  const entries = Object.entries(example);
  if (entries.length === 0) return start;
  const flat = entries.every(([key, value]) => isPlain(value) && /^[\w-]+$/.test(key));
  if (!flat) return `${start} ${quoted(JSON.stringify(example))}`;
  return [start, ...entries.map(([key, value]) => quoted(`${key}=${String(value)}`))].join(" ");
}

function isPlain(value: unknown): boolean {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

/** For a POSIX shell; words without special characters stay as they are. */
export function quoted(word: string): string {
  if (/^[\w@%+=:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
