/** Runs the checks, two at a time, and prints one line per step. */

import { spawn } from "node:child_process";
import { delimiter, join } from "node:path";
import type { Step } from "./steps.ts";

/** Two: the steps that cost most use several threads themselves. */
const PARALLEL = 2;

export interface CheckOptions {
  readonly root: string;
  readonly steps: readonly Step[];
  readonly print: (text: string) => void;
}

/** Answers the names of the steps that failed. */
export async function check({ root, steps, print }: CheckOptions): Promise<string[]> {
  const failed: string[] = [];
  const waiting = [...steps];
  const worker = async (): Promise<void> => {
    for (let step = waiting.shift(); step !== undefined; step = waiting.shift()) {
      const { code, output, elapsedMs } = await run(root, step);
      const seconds = `${(elapsedMs / 1000).toFixed(1)} s`;
      print(`${code === 0 ? "✔" : "✖"} ${step.name.padEnd(10)} ${seconds.padStart(7)}\n`);
      if (code === 0) continue;
      failed.push(step.name);
      print(`${output.trimEnd().replace(/^/gm, "    ")}\n    → ${step.fix}\n`);
    }
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
  return failed;
}

interface StepResult {
  readonly code: number;
  readonly output: string;
  readonly elapsedMs: number;
}

function run(root: string, { command }: Step): Promise<StepResult> {
  const startedAt = performance.now();
  const [program, ...args] = command;
  const env = {
    ...process.env,
    PATH: `${join(root, "node_modules/.bin")}${delimiter}${process.env["PATH"] ?? ""}`,
  };
  return new Promise((resolve) => {
    let output = "";
    const isNode = program === "node";
    const child = spawn(isNode ? process.execPath : program, args, {
      cwd: root,
      env,
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32" && !isNode,
    });
    const finish = (code: number): void =>
      resolve({ code, output, elapsedMs: performance.now() - startedAt });
    child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text));
    child.on("error", (error) => {
      output += `${program} cannot be started: ${error.message}`;
      finish(127);
    });
    child.on("close", (code) => finish(code ?? 1));
  });
}
