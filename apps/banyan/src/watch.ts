/**
 * `banyan up --watch`: runs the node in a child process and starts it again when a service or the
 * configuration changes. A fresh process, because a loaded module cannot be loaded again.
 *
 * What it owns: the child and the file watchers.
 * What may interrupt it: the child's end, a change, a stop signal; each round looks at all three.
 *
 * I1. At most one child runs.
 * I2. A child that ended by itself (a broken edit) is started again by the next change, not before.
 */

import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { systemClock } from "@banyan/kernel";
import { watchFiles } from "./file-watch.ts";
import type { FileWatch } from "./file-watch.ts";
import type { Command } from "./command.ts";
import { findServices } from "./workspace.ts";
import { namedConfig, openSettings } from "./settings.ts";
import { exitBySignal, listenForStop } from "./stop-signals.ts";
import type { StopSignals } from "./stop-signals.ts";

/** Longer than a node's own bound on draining, by default. */
const stopMaxMs = 15_000;

/** Resolves with the exit code when it is stopped. */
export async function watchNode(command: Command): Promise<number> {
  let child: ChildProcess | undefined;
  using signals = listenForStop({
    onSecond(signal) {
      child?.kill("SIGKILL");
      exitBySignal(signal);
    },
  });
  for (;;) {
    using files = watchFiles(await placesToWatch(command));
    child = startChild();
    const exited = exitCodeOf(child);
    const outcome = await nextOutcome({ signals, files, exited });
    if (outcome.kind === "stop") {
      // A terminal has sent it to the child too; the child takes the two for one key press.
      child.kill(outcome.signal);
      return await exited;
    }
    if (outcome.kind === "ended") {
      say(command, `The node ended with code ${outcome.code}; waiting for a change.`);
      const next = await Promise.race([changeOf(files), stopOf(signals)]);
      if (next.kind === "stop") return outcome.code;
      say(command, `${next.path} changed; starting again.`);
    } else {
      say(command, `${outcome.path} changed; starting again.`);
      await stopChild(child, exited);
    }
  }
}

type Outcome =
  | { readonly kind: "stop"; readonly signal: NodeJS.Signals }
  | { readonly kind: "change"; readonly path: string }
  | { readonly kind: "ended"; readonly code: number };

interface Happenings {
  readonly signals: StopSignals;
  readonly files: FileWatch;
  readonly exited: Promise<number>;
}

function nextOutcome({ signals, files, exited }: Happenings): Promise<Outcome> {
  const ended = exited.then((code): Outcome => ({ kind: "ended", code }));
  return Promise.race([stopOf(signals), changeOf(files), ended]);
}

async function stopOf(signals: StopSignals): Promise<Extract<Outcome, { kind: "stop" }>> {
  return { kind: "stop", signal: await signals.first };
}

async function changeOf(files: FileWatch): Promise<Extract<Outcome, { kind: "change" }>> {
  return { kind: "change", path: await files.changed };
}

/** The same command line without `--watch`. */
function startChild(): ChildProcess {
  const [node = process.execPath, script = "", ...words] = process.argv;
  const args = [...process.execArgv, script, ...words.filter((word) => word !== "--watch")];
  return spawn(node, args, { stdio: "inherit" });
}

async function exitCodeOf(child: ChildProcess): Promise<number> {
  await once(child, "exit");
  return child.exitCode ?? 1;
}

async function stopChild(child: ChildProcess, exited: Promise<number>): Promise<void> {
  child.kill("SIGTERM");
  const cancel = systemClock.setTimer(stopMaxMs, () => child.kill("SIGKILL"));
  await exited;
  cancel();
}

/** Where an edit may be; a configuration that cannot be read is one of the places. */
async function placesToWatch(command: Command): Promise<string[]> {
  const { findConfigFile } = await import("./config-file.ts");
  const file = findConfigFile({ cwd: command.cwd, flag: namedConfig(command) });
  const config = file === undefined ? [] : [file];
  try {
    const settings = await openSettings(command);
    const { services, patternRoots } = findServices(command, settings);
    // A package may have several services in its one folder.
    return [...new Set([...config, ...services.map(({ folder }) => folder), ...patternRoots])];
  } catch {
    // The child reports what is wrong with it, in full.
    return config;
  }
}

function say({ terminal }: Command, words: string): void {
  if (terminal.json) terminal.print(JSON.stringify({ event: "watch", message: words }));
  else terminal.note(terminal.styleNote("faint", words));
}
