/**
 * What a node says of itself to the others, and how it is read: whoever wrote it may be of another
 * version, or mean harm, so nothing of it is believed before it was looked at.
 */

import type { LoadFigures } from "./load-meter.ts";

/** What a node says of itself; nobody else writes it. */
export interface InstanceRecord {
  /** Of this run of the node: it is never used again. */
  readonly instance: string;
  /** The node's id, which it may keep over its runs. */
  readonly node: string;
  readonly app: string;
  readonly host: string;
  readonly port: number;
  /** Services that run there, each with the version of its contract. */
  readonly services: Readonly<Record<string, string>>;
  /** `degraded`: called where no instance is up. `draining`: it takes no new calls. */
  readonly status: "up" | "degraded" | "draining";
  /** Why it is degraded, in words; empty where it is not. */
  readonly issues: readonly string[];
  /** How busy it was at its last heartbeat. Left out: not known. */
  readonly load?: LoadFigures | undefined;
  /** Its own wall clock when it began, milliseconds since 1970. */
  readonly startedAtMs?: number | undefined;
  /** Its own wall clock when it wrote this last. Readers leave it as it is. */
  readonly renewedAtMs?: number | undefined;
  /** True: it has left in order. The record stays for a lease, so that all read why. */
  readonly hasLeft?: boolean | undefined;
}

/** Services by the app that runs them, pushed by whoever places them. */
export interface Mapping {
  /** Of whoever counts the versions; a new one, a text that is greater, begins a new count. */
  readonly epoch: string;
  readonly version: number;
  readonly apps: Readonly<Record<string, string>>;
}

export const issuesMax = 20;
export const issueLengthMax = 200;
const servicesMax = 10_000;
const textLengthMax = 255;
const loadNames = ["load", "eventLoop", "cpu", "memory", "calls"] as const;

/** `undefined` for what is no record. A load that is out of its range is not known. */
export function parseInstanceRecord(value: unknown): InstanceRecord | undefined {
  const bag = bagOf(value);
  if (bag === undefined) return undefined;
  const { instance, node, app, host, port, status } = bag;
  if (!isInstance(instance) || !isText(node) || !isText(app) || !isText(host)) return undefined;
  if (!isPort(port) || !isStatus(status)) return undefined;
  const services = textsOf(bag["services"]);
  if (services === undefined) return undefined;
  return {
    instance,
    node,
    app,
    host,
    port,
    services,
    status,
    issues: parseIssues(bag["issues"]),
    load: parseLoad(bag["load"]),
    startedAtMs: timeOf(bag["startedAtMs"]),
    renewedAtMs: timeOf(bag["renewedAtMs"]),
    ...(bag["hasLeft"] === true ? { hasLeft: true } : {}),
  };
}

/** `undefined` for what is no mapping. */
export function parseMapping(value: unknown): Mapping | undefined {
  const bag = bagOf(value);
  if (bag === undefined) return undefined;
  const { epoch, version } = bag;
  if (typeof epoch !== "string" || epoch.length > textLengthMax) return undefined;
  if (typeof version !== "number" || !Number.isSafeInteger(version)) return undefined;
  const apps = textsOf(bag["apps"]);
  return apps === undefined ? undefined : { epoch, version, apps };
}

/** At most so many as are told, none longer than is told. */
function parseIssues(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  const texts = value.filter((issue): issue is string => typeof issue === "string");
  return texts.slice(0, issuesMax).map((issue) => issue.slice(0, issueLengthMax));
}

function parseLoad(value: unknown): LoadFigures | undefined {
  const bag = bagOf(value);
  if (bag === undefined) return undefined;
  const [load, eventLoop, cpu, memory, calls] = loadNames.map((name) => bag[name]);
  if (!isShare(load) || !isShare(eventLoop) || !isShare(cpu)) return undefined;
  if (!isShare(memory) || !isShare(calls)) return undefined;
  // Nodes from before it was measured do not tell it.
  const { lag = 0 } = bag;
  return isShare(lag) ? { load, eventLoop, lag, cpu, memory, calls } : undefined;
}

function bagOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  // A cast to a bag of unknowns: every field is narrowed before use.
  return value as Readonly<Record<string, unknown>>;
}

/** Texts by name. */
function textsOf(value: unknown): Readonly<Record<string, string>> | undefined {
  const bag = bagOf(value);
  if (bag === undefined) return undefined;
  const entries = Object.entries(bag);
  const texts = entries.filter(
    (entry): entry is [string, string] => isText(entry[0]) && isText(entry[1]),
  );
  if (texts.length < entries.length || entries.length > servicesMax) return undefined;
  return Object.fromEntries(texts);
}

function isInstance(value: unknown): value is string {
  return typeof value === "string" && /^[A-Za-z0-9._-]{1,64}$/.test(value);
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= textLengthMax;
}

function isPort(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value > 0 && value < 65_536;
}

function isStatus(value: unknown): value is InstanceRecord["status"] {
  return value === "up" || value === "degraded" || value === "draining";
}

function isShare(value: unknown): value is number {
  return typeof value === "number" && value >= 0 && value <= 1;
}

function timeOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isFinite(value) ? value : undefined;
}
