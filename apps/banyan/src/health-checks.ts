/** What `banyan doctor` looks at. A check never throws: what fails is a finding. */

import { constants as fsConstants, accessSync, existsSync, statfsSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { isBanyanError, systemClock } from "@banyan/kernel";
import { openDataDirectory } from "@banyan/sqlite";
import type { Command } from "./command.ts";
import { checkWorkspace } from "./check-workspace.ts";
import type { CheckedWorkspace } from "./check-workspace.ts";
import { findNode, isAlive, readNodeRecord } from "./node-address.ts";
import type { NodeRecord } from "./node-address.ts";
import { numberOf, recordOf, textOf } from "./node-answers.ts";
import { askNode, getJson } from "./node-client.ts";
import { commandName } from "./try-it.ts";

export interface Finding {
  readonly verdict: "ok" | "note" | "bad";
  readonly what: string;
  readonly found: string;
  readonly fix?: string;
}

const nodeMajorMin = 24;
const freeBytesLow = 200_000_000; // a backup, or a burst of events, may not fit any more
const freeBytesMin = 50_000_000; // soon writes are refused
const clockDriftMaxMs = 5000; // more, and tokens and deadlines of other machines look expired
const oldestClockMs = Date.UTC(2025, 0, 1); // before this release: the clock was never set

/** All checks, in the order in which one would mend them. */
export async function examine(command: Command): Promise<Finding[]> {
  const findings: Finding[] = [checkRuntime(), checkClock()];
  let checked: CheckedWorkspace;
  try {
    checked = await checkWorkspace(command);
  } catch (error) {
    return [...findings, fromError("configuration", error)];
  }
  const { workspace, check, report } = checked;
  const { dataDirectory, configFile } = workspace.settings;
  findings.push(
    report === undefined
      ? ok("configuration", configFile?.path ?? "no file; defaults")
      : bad("configuration", report.message, "`banyan config validate` shows it in full."),
  );
  const enabled = check.decisions.filter((each) => each.enabled).map(({ name }) => name);
  findings.push(
    enabled.length > 0
      ? ok("services", enabled.join(", "))
      : note("services", "none was found", "`banyan new service hello` writes one."),
  );
  const record = readNodeRecord(dataDirectory);
  const running = record !== undefined && isAlive(record.pid) ? record : undefined;
  findings.push(await checkDirectory(dataDirectory, running), checkDisk(dataDirectory));
  findings.push(checkToken(dataDirectory));
  if (running !== undefined) {
    findings.push(...(await checkNode(running)), ...(await checkLetters(command, running)));
  } else if (record !== undefined) {
    const found = `pid ${record.pid} ended without a clean stop`;
    findings.push(
      note("node", found, "`banyan up` recovers by itself; the log may say why it ended."),
    );
  } else findings.push(note("node", "none runs here", "`banyan up` starts one."));
  const { http } = check.setup.config;
  if (running === undefined && report === undefined && http.enabled) {
    findings.push(await checkPort(http.host, http.port));
  }
  return findings;
}

function checkRuntime(): Finding {
  const major = Number.parseInt(process.versions.node, 10);
  if (major >= nodeMajorMin)
    return ok("Node", `${process.version} ${process.platform} ${process.arch}`);
  return bad("Node", process.version, `Install Node ${nodeMajorMin} or later.`);
}

function checkClock(): Finding {
  const now = systemClock.nowMs();
  const text = new Date(now).toISOString();
  if (now >= oldestClockMs) return ok("clock", text);
  return bad("clock", text, "Set the system clock; identifiers and expiry depend on it.");
}

async function checkDirectory(path: string, running: NodeRecord | undefined): Promise<Finding> {
  const what = "data directory";
  if (running !== undefined) return ok(what, `${path}, held by the node with pid ${running.pid}`);
  const place = nearestFolder(path);
  try {
    accessSync(place, fsConstants.W_OK | fsConstants.X_OK);
  } catch {
    return bad(
      what,
      `${place} cannot be written`,
      "Correct its owner or permissions, or set --data-dir.",
    );
  }
  if (!existsSync(path)) return ok(what, `${path}, made at the first start`);
  try {
    // Only its lock knows whether somebody holds it: a starting node has told nobody yet.
    await using _lock = await openDataDirectory(path);
    return ok(what, path);
  } catch (error) {
    return fromError(what, error, "Stop that process, or set --data-dir.");
  }
}

function checkDisk(path: string): Finding {
  const { bavail, bsize } = statfsSync(nearestFolder(path));
  const free = bavail * bsize;
  return judgeDisk(free);
}

/** What so many free bytes on the disk of the data directory mean. */
export function judgeDisk(freeBytes: number): Finding {
  const text = `${Math.floor(freeBytes / 1_000_000)} MB free`;
  if (freeBytes >= freeBytesLow) return ok("disk", text);
  const fix = "Make room: a write that does not fit is refused, and so is what it belongs to.";
  return (freeBytes >= freeBytesMin ? note : bad)("disk", text, fix);
}

function checkToken(directory: string): Finding {
  const path = join(directory, "admin-token");
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return ok("admin token", "written at the first start");
  const open = process.platform !== "win32" && (stat.mode & 0o077) !== 0;
  if (!open) return ok("admin token", "readable by its owner alone");
  return bad("admin token", "readable by others on this machine", `chmod 600 ${path}`);
}

async function checkNode({ url, pid }: NodeRecord): Promise<Finding[]> {
  if (url === undefined) return [ok("node", `pid ${pid}, without HTTP`)];
  const beforeMs = systemClock.nowMs();
  let answer: Awaited<ReturnType<typeof getJson>>;
  try {
    answer = await getJson({ url, token: undefined }, "/readyz");
  } catch (error) {
    return [fromError("node", error)];
  }
  const { status, body, date } = answer;
  const state = typeof body["status"] === "string" ? body["status"] : `answers ${status}`;
  const findings = [
    state === "ready"
      ? ok("node", `ready at ${url}, pid ${pid}`)
      : (state === "degraded" ? note : bad)("node", `${state} at ${url}`, `Look at ${url}/readyz.`),
    ...partFindings(body, "engines"),
    ...partFindings(body, "services"),
  ];
  const driftMs = date === undefined ? 0 : Math.abs(date - beforeMs);
  if (driftMs > clockDriftMaxMs) {
    const found = `the node's clock is ${Math.round(driftMs / 1000)} s off`;
    findings.push(bad("node's clock", found, "Set the clocks of both machines by NTP."));
  }
  return findings;
}

/** The parts of a readiness report that are not well, such as a writer whose disk is full. */
export function partFindings(
  body: Readonly<Record<string, unknown>>,
  key: "engines" | "services",
): Finding[] {
  return Object.entries(recordOf(body[key]) ?? {}).flatMap(([name, part]) => {
    const { state, reason } = recordOf(part) ?? {};
    if (state === "running") return [];
    const found = [textOf(state), textOf(reason)].filter((text) => text !== "").join(": ");
    const verdict = state === "unhealthy" ? bad : note;
    return [verdict(name, found, "Mend the reason; the node looks again by itself.")];
  });
}

/** What could not be handled waits for somebody: with the token the node says how much. */
async function checkLetters(command: Command, { url }: NodeRecord): Promise<Finding[]> {
  if (url === undefined) return [];
  const what = "dead letters";
  try {
    const { deadLetters } = await askNode(await findNode(command), "/node/events/status");
    const count = numberOf(deadLetters);
    if (count === 0) return [ok(what, "none")];
    const name = commandName(command.env);
    return [note(what, `${count} waiting`, `\`${name} events dead-letters list\` shows them.`)];
  } catch (error) {
    return [fromError(what, error)];
  }
}

/** Free, or taken by somebody else: our own node was looked for already. */
async function checkPort(host: string, port: number): Promise<Finding> {
  const what = `port ${port}`;
  if (port === 0) return ok("port", "a free one is taken at the start");
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<Finding>();
  server.once("error", (error: NodeJS.ErrnoException) => {
    const fix =
      error.code === "EADDRINUSE"
        ? "Stop what listens there, or start with --port 0."
        : "Choose another address or port with --host and --port.";
    resolve(bad(what, `cannot listen on ${host}: ${error.code ?? error.message}`, fix));
  });
  server.listen(port, host, () => server.close(() => resolve(ok(what, `free on ${host}`))));
  return promise;
}

function nearestFolder(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : nearestFolder(dirname(path));
}

function fromError(what: string, error: unknown, advice = "See the message."): Finding {
  const message = error instanceof Error ? error.message : String(error);
  const details = isBanyanError(error) ? error.details : undefined;
  const fix = typeof details?.["fix"] === "string" ? details["fix"] : advice;
  return bad(what, message, fix);
}

function ok(what: string, found: string): Finding {
  return { verdict: "ok", what, found };
}

function note(what: string, found: string, fix: string): Finding {
  return { verdict: "note", what, found, fix };
}

function bad(what: string, found: string, fix: string): Finding {
  return { verdict: "bad", what, found, fix };
}
