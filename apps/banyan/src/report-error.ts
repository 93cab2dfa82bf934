/**
 * An error on the terminal: what, then where, then what to do. With `--json` one object on one
 * line. The exit code is the one of the error's kind, so a script can tell kinds apart.
 */

import { errorKinds, isBanyanError } from "@banyan/kernel";
import type { BanyanError } from "@banyan/kernel";
import { oneLine } from "./text-table.ts";
import type { Terminal } from "./terminal.ts";

/** A bug of the command itself. */
const crashExitCode = 1;
const issuesShownMax = 20;

/** Prints the error and returns the exit code. */
export function reportError(error: unknown, terminal: Terminal): number {
  if (!isBanyanError(error)) return reportCrash(error, terminal);
  const exitCode = errorKinds[error.kind].exit;
  if (terminal.json) {
    terminal.note(JSON.stringify({ error: { ...error.toJSON(), exitCode } }));
  } else {
    for (const line of errorLines(error, terminal)) terminal.note(line);
  }
  return exitCode;
}

function reportCrash(error: unknown, terminal: Terminal): number {
  const message = error instanceof Error ? error.message : String(error);
  if (terminal.json) {
    const body = { kind: "internal", code: "INTERNAL", message, retryable: false };
    terminal.note(JSON.stringify({ error: { ...body, exitCode: crashExitCode } }));
    return crashExitCode;
  }
  terminal.note(`${terminal.styleNote("bad", "error:")} ${message}`);
  // Nobody planned this one: the stack is what a report needs.
  if (error instanceof Error && error.stack !== undefined) {
    terminal.note(terminal.styleNote("faint", error.stack.split("\n").slice(1).join("\n")));
  }
  terminal.note(
    "  fix:   This is a fault of banyan itself; please report it with the lines above.",
  );
  return crashExitCode;
}

function errorLines(error: BanyanError, terminal: Terminal): string[] {
  const details = error.details ?? {};
  const lines = [`${terminal.styleNote("bad", "error:")} ${printable(error.message)}`];
  const add = (label: string, value: unknown): void => {
    if (typeof value === "string" && value !== "") lines.push(`  ${label} ${printable(value)}`);
  };
  lines.push(...issueLines(details["issues"], error.message));
  add("where:", details["where"]);
  add("fix:  ", details["fix"]);
  if (error.retryAfterMs !== undefined) add("retry:", `in ${error.retryAfterMs} ms`);
  add("trace:", details["traceId"]);
  lines.push(terminal.styleNote("faint", `  code:  ${error.code}`));
  return lines;
}

/** What is wrong with a request, one line per place; what the message says already is left out. */
function issueLines(issues: unknown, said: string): string[] {
  if (!Array.isArray(issues)) return [];
  const lines = issues.slice(0, issuesShownMax).map((issue: unknown) => {
    if (typeof issue !== "object" || issue === null) return "";
    const pointer = "pointer" in issue ? String(issue.pointer) : "";
    const message = "message" in issue ? String(issue.message) : "";
    if (message !== "" && said.includes(message)) return "";
    const expected = "expected" in issue ? `expected ${String(issue.expected)}` : "";
    const place = pointer === "" ? "the request" : printable(pointer);
    return `  at ${place}: ${printable(message === "" ? expected : message)}`;
  });
  return lines.filter((line) => line !== "");
}

/** Text from elsewhere must not move the cursor; its own line breaks stay. */
function printable(text: string): string {
  return text.split("\n").map(oneLine).join("\n");
}
