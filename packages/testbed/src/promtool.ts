/** What `promtool`, which comes with Prometheus, says about metrics and rules. */

import { dirname } from "node:path";
import { spawnProgram } from "./child.ts";
import { ensurePrograms } from "./required-programs.ts";
import type { RequiredPrograms } from "./required-programs.ts";

/** The server and its tool, of one package. */
export const prometheusPrograms: RequiredPrograms<"prometheus" | "promtool"> = {
  what: "Prometheus 2.42 or newer",
  programs: ["prometheus", "promtool"],
  packages: ["prometheus"],
  elsewhere: "On macOS: brew install prometheus.",
};

/** How a check ended. */
export interface PromtoolResult {
  /** 0: nothing to say against it. */
  readonly code: number | null;
  /** What was printed, both streams. */
  readonly output: string;
}

/** Checks and lints a page of metrics, as a scrape would get it. */
export function checkMetrics(text: string): Promise<PromtoolResult> {
  return runPromtool(["check", "metrics"], { input: text });
}

/** Checks a file of rules. */
export function checkRules(path: string): Promise<PromtoolResult> {
  return runPromtool(["check", "rules", path]);
}

/** Runs a file of unit tests for rules; the files it names are found beside it. */
export function testRules(path: string): Promise<PromtoolResult> {
  return runPromtool(["test", "rules", path], { cwd: dirname(path) });
}

async function runPromtool(
  args: readonly string[],
  options: { readonly input?: string; readonly cwd?: string } = {},
): Promise<PromtoolResult> {
  const { promtool } = await ensurePrograms(prometheusPrograms);
  await using child = spawnProgram(promtool, args, options);
  const { code } = await child.exited;
  return { code, output: `${child.stdout}${child.stderr}` };
}
