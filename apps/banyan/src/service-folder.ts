/**
 * A folder with services: its `package.json` has a `banyan` field, which says each service's name,
 * its layer and its module, so that a disabled service is never loaded. One service is written as
 * the field itself, several as its `services`.
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

/** What a folder says of itself; `none`: it does not say that it has services. */
export type FolderReading =
  | {
      readonly kind: "services";
      /** Those that are sound, in the order of the field. */
      readonly services: readonly FoundService[];
      readonly offences: readonly Offence[];
    }
  | { readonly kind: "none" };

const keys = ["service", "layer", "module"];
const entryExample =
  '{ "service": "greeter", "layer": "L4", "module": "./src/greeter.service.ts" }';
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
  /** Keys that may stand there. */
  readonly known?: readonly string[];
}

function readField(field: unknown, where: Where): FolderReading {
  const offences: Offence[] = [];
  if (!isRecord(field) || !("services" in field)) {
    const only = readEntry(field, { ...where, known: [...keys, "services"] }, offences);
    return { kind: "services", services: only === undefined ? [] : [only], offences };
  }
  return { kind: "services", services: readList(field, where, offences), offences };
}

/** `{ "services": [ … ] }`: a name may stand there once. */
function readList(
  field: Readonly<Record<string, unknown>>,
  where: Where,
  offences: Offence[],
): FoundService[] {
  const { services: list } = field;
  const place = `${where.place}/services`;
  for (const key of Object.keys(field)) {
    if (key === "services") continue;
    const message = keys.includes(key)
      ? `"${key}" stands beside "services"; a package says one or the other.`
      : `There is no key "${key}" beside "services".`;
    const fix = keys.includes(key)
      ? `Write that service as an entry of "services": ${entryExample}.`
      : `Leave it out; an entry of "services" has ${keys.join(", ")}.`;
    offences.push({ place: `${where.place}/${key}`, message, fix });
  }
  if (!Array.isArray(list) || list.length === 0) {
    const message = Array.isArray(list) ? "The list is empty." : "It is not a list.";
    offences.push({ place, message, fix: `Write [${entryExample}].` });
    return [];
  }
  const found: FoundService[] = [];
  for (const [index, entry] of list.entries()) {
    const at = `${place}/${index}`;
    const service = readEntry(entry, { ...where, place: at }, offences);
    if (service === undefined) continue;
    if (found.some(({ name }) => name === service.name)) {
      offences.push({
        place: `${at}/service`,
        message: `"${service.name}" stands in the list already.`,
        fix: "Name each service once.",
      });
    } else found.push(service);
  }
  return found;
}

/** One service, or `undefined` with what is wrong added to the offences. */
function readEntry(field: unknown, where: Where, offences: Offence[]): FoundService | undefined {
  const { folder, shown, place, known = keys } = where;
  if (!isRecord(field)) {
    offences.push({ place, message: "It is not an object.", fix: `Write ${entryExample}.` });
    return undefined;
  }
  const before = offences.length;
  const report = (key: string, message: string, fix: string): void => {
    offences.push({ place: `${place}/${key}`, message, fix });
  };
  for (const key of Object.keys(field)) {
    if (keys.includes(key)) continue;
    const near = nearest(key, known);
    report(
      key,
      `There is no key "${key}".`,
      near === undefined ? `Use ${known.join(", ")}.` : `Did you mean "${near}"?`,
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
  if (offences.length > before || typeof service !== "string" || modulePath === undefined) {
    return undefined;
  }
  if (!isLayer(layer)) return undefined;
  return foundService({ service, layer, modulePath, folder, shown });
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
  return { kind: "services", services: [], offences };
}

function shownValue(value: unknown): string {
  return value === undefined ? "Nothing" : JSON.stringify(value).slice(0, 100);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
