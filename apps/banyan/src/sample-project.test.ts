/** A project on disk and the command in it, for tests of verbs that need a node. No tests. */

import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bareEnvironment, spawnNode, temporaryDirectory } from "@banyan/testbed";
import type { Child, TemporaryDirectory } from "@banyan/testbed";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const bin = join(root, "apps/banyan/bin/banyan.js");
export const readyTimeoutMs = 30_000; // a busy machine reads the sources in seconds

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export type Row = Readonly<Record<string, unknown>>;

/** A project with the workshop, which is slow and fails, and the order desk. */
export async function makeProject(): Promise<TemporaryDirectory> {
  const project = await temporaryDirectory("project");
  mkdirSync(project.join("services"));
  symlinkSync(join(root, "node_modules"), project.join("node_modules"));
  const folders = ["apps/banyan/fixtures/workshop", "examples/order-desk"];
  for (const folder of folders) {
    const to = project.join("services", folder.split("/").at(-1) ?? "");
    cpSync(join(root, folder), to, { recursive: true });
  }
  writeFileSync(project.join("banyan.yaml"), "http:\n  port: 0\nlog: { level: error }\n");
  return project;
}

const env = bareEnvironment();

export function start(project: TemporaryDirectory, ...words: string[]): Child {
  return spawnNode(bin, words, { cwd: project.path, env });
}

export async function run(project: TemporaryDirectory, ...words: string[]): Promise<Run> {
  await using child = start(project, ...words);
  const { code } = await child.exited;
  return { code, stdout: child.stdout, stderr: child.stderr };
}

export async function ask(project: TemporaryDirectory, ...words: string[]): Promise<Row> {
  const { code, stdout, stderr } = await run(project, ...words, "--json");
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as Row;
}

export async function up(project: TemporaryDirectory, ...words: string[]): Promise<Child> {
  const child = start(project, "up", ...words);
  await child.waitForLine(/Ctrl-C stops it/, { timeoutMs: readyTimeoutMs });
  return child;
}

/** A call as anybody makes it. */
export async function post(node: Child, path: string, sent: Sent = {}): Promise<Response> {
  const url = /http:\/\/\S+:\d+/.exec(node.stdout)?.[0] ?? "";
  return fetch(`${url}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...sent.headers },
    body: JSON.stringify(sent.body ?? {}),
  });
}

interface Sent {
  readonly body?: Row;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The header of a trace whose id is this digit over and over, with an end of its own. */
export function traceparent(digit: string, end = ""): { traceparent: string } {
  return { traceparent: `00-${end.padStart(32, digit)}-${"b".repeat(16)}-01` };
}

/** Asks until the answer is as wanted; handlers of events take their time. */
export async function until<T>(
  question: () => Promise<T>,
  isDone: (answer: T) => boolean,
): Promise<T> {
  for (let round = 0; ; round += 1) {
    const answer = await question();
    if (isDone(answer)) return answer;
    assert.ok(round < 50, JSON.stringify(answer));
  }
}
