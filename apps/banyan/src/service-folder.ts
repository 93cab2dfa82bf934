/**
 * A folder that is a service: its `package.json` has a `banyan` field, which says the service's
 * name, its layer and its module, so that a disabled service is never loaded.
 */

import { readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { isBanyanError, isServiceDefinition } from "@banyan/kernel";
import type { Layer, ServiceDefinition } from "@banyan/kernel";
import type { ServiceSource } from "@banyan/host";
import { isLayer, nearest } from "@banyan/kernel/internal";
import type { Offence } from "@banyan/kernel/internal";

/** A service found on disk, not loaded. */
export interface FoundService extends ServiceSource {
  /** Absolute. */
  readonly folder: string;
}

/** A service, an offence, or nothing: the folder does not say that it is a service. */
export type FolderReading =
  | { readonly kind: "service"; readonly service: FoundService }
  | { readonly kind: "broken"; readonly offences: readonly Offence[] }
  | { readonly kind: "none" };

const keys = ["service", "layer", "module"];
const namePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** `shown` is how messages name the folder. */
export function readServiceFolder(folder: string, shown: string): FolderReading {
  const path = join(folder, "package.json");
  const place = `${shown}/package.json`;
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    // No package.json, or none that may be read: the folder does not say that it is a service.
    return { kind: "none" };
  }
  let manifest: unknown;
  try {
    manifest = JSON.parse(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return broken([{ place, message: `It is not JSON: ${reason}.`, fix: "Mend the file." }]);
  }
  if (!isRecord(manifest) || manifest["banyan"] === undefined) return { kind: "none" };
  return readField(manifest["banyan"], { folder, shown, place: `${place}#/banyan` });
}

interface Where {
  readonly folder: string;
  readonly shown: string;
  readonly place: string;
}

function readField(field: unknown, { folder, shown, place }: Where): FolderReading {
  const example = '{ "service": "greeter", "layer": "L4", "module": "./src/greeter.service.ts" }';
  if (!isRecord(field)) {
    return broken([{ place, message: "It is not an object.", fix: `Write ${example}.` }]);
  }
  const offences: Offence[] = [];
  const report = (key: string, message: string, fix: string): void => {
    offences.push({ place: `${place}/${key}`, message, fix });
  };
  for (const key of Object.keys(field)) {
    if (keys.includes(key)) continue;
    const near = nearest(key, keys);
    report(
      key,
      `There is no key "${key}".`,
      near === undefined ? `Use ${keys.join(", ")}.` : `Did you mean "${near}"?`,
    );
  }
  const { service, layer = "L4", module } = field;
  if (typeof service !== "string" || !namePattern.test(service)) {
    report(
      "service",
      service === undefined ? "The name is missing." : `${shownValue(service)} is no service name.`,
      "Write the name of its contract: game-session.",
    );
  }
  if (!isLayer(layer)) {
    report("layer", `${shownValue(layer)} is no layer.`, 'Use "L0" … "L5"; left out it is "L4".');
  }
  const modulePath = typeof module === "string" ? join(folder, module) : undefined;
  const problem = moduleProblem(folder, module, modulePath);
  if (problem !== undefined) report("module", problem.message, problem.fix);
  if (offences.length > 0 || typeof service !== "string" || modulePath === undefined) {
    return broken(offences);
  }
  if (!isLayer(layer)) return broken(offences);
  return { kind: "service", service: foundService({ service, layer, modulePath, folder, shown }) };
}

function moduleProblem(
  folder: string,
  module: unknown,
  path: string | undefined,
): { message: string; fix: string } | undefined {
  const fix = 'Name the module that exports the service, such as "./src/greeter.service.ts".';
  if (path === undefined) return { message: `${shownValue(module)} is no path.`, fix };
  const inside = relative(folder, path);
  if (inside.startsWith("..") || inside === "") {
    return { message: `${shownValue(module)} is not inside the folder.`, fix };
  }
  if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return undefined;
  const built = inside.startsWith(`dist${sep}`) ? " Is the service built?" : "";
  return { message: `There is no file ${shownValue(module)}.${built}`, fix };
}

interface Found {
  readonly service: string;
  readonly layer: Layer;
  readonly modulePath: string;
  readonly folder: string;
  readonly shown: string;
}

function foundService({ service, layer, modulePath, folder, shown }: Found): FoundService {
  return {
    name: service,
    layer,
    from: shown,
    folder,
    load: () => loadService(modulePath),
  };
}

/** The default export, else the only service among the named ones; the node checks what it gets. */
async function loadService(path: string): Promise<ServiceDefinition> {
  const url = pathToFileURL(path).href;
  const exported: unknown = await importAt(url);
  const named = isRecord(exported) ? exported : {};
  const candidates = [named["default"], ...Object.values(named)].filter((value) =>
    isServiceDefinition(value),
  );
  // Where it is none of ours, the node says so and names the folder.
  return (candidates[0] ?? named["default"]) as ServiceDefinition;
}

/** What a module throws says what; its stack says in which file and line, which a fix needs. */
async function importAt(url: string): Promise<unknown> {
  try {
    return await import(url);
  } catch (cause) {
    if (!(cause instanceof Error) || isBanyanError(cause)) throw cause;
    const stack = cause.stack ?? "";
    // A syntax error starts with its place; anything else has it in its first frame.
    const found =
      /^(?:file:\/\/)?(\/.+:\d+)$/m.exec(stack) ?? /file:\/\/(\/[^\s)]+:\d+):\d+/.exec(stack);
    const place = found?.[1];
    if (place === undefined) throw cause;
    throw new Error(`${place}: ${cause.message}`, { cause });
  }
}

function broken(offences: readonly Offence[]): FolderReading {
  return { kind: "broken", offences };
}

function shownValue(value: unknown): string {
  return value === undefined ? "Nothing" : JSON.stringify(value).slice(0, 100);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
