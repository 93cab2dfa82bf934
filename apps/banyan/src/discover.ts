/**
 * Which services exist here, decided without loading one: the folders of `discover`, what
 * `services.<name>.from` names, and the paths of `--services`.
 *
 * I1. A name belongs to one folder; a folder may have several services. `--services ./path` beats
 *     `from`, which beats `discover`; two folders found in the same way with one name are an
 *     offence that names both.
 */

import { findPackageJSON } from "node:module";
import { dirname, isAbsolute, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { getAtPointer, nearest } from "@banyan/kernel/internal";
import type { Offence } from "@banyan/kernel/internal";
import { findFolders, literalStart } from "./folder-glob.ts";
import { readServiceFolder } from "./service-folder.ts";
import type { FoundService } from "./service-folder.ts";

export interface DiscoverInput {
  /** Where relative patterns and `from` start: the folder of the configuration. */
  readonly base: string;
  readonly cwd: string;
  /** The value of `discover`. */
  readonly patterns: readonly string[];
  /** The configuration file's tree, for `services.<name>.from`. */
  readonly tree: unknown;
  /** The value of `--services`: names and paths; undefined when it is not given. */
  readonly only?: readonly string[] | undefined;
}

export interface Discovery {
  /** In order of their names. */
  readonly services: readonly FoundService[];
  /** `--services` with its paths replaced by the names found there. */
  readonly only: readonly string[] | undefined;
  /** Folders in which new services would be found, for a watcher. */
  readonly patternRoots: readonly string[];
  readonly offences: readonly Offence[];
}

/** Looks for services. Never throws for what a user got wrong. */
export function discoverServices(input: DiscoverInput): Discovery {
  const offences: Offence[] = [];
  const byPath = readPaths(input, offences);
  const fromFile = readFrom(input, offences);
  const found = input.patterns.flatMap((pattern) =>
    findFolders(input.base, pattern).flatMap((folder) => {
      const reading = readServiceFolder(folder, shownPath(folder, input.cwd));
      if (reading.kind === "none") return [];
      offences.push(...reading.offences);
      return reading.services;
    }),
  );
  const services = new Map<string, FoundService>();
  for (const group of [byPath.services, fromFile, found]) {
    const inGroup = new Map<string, FoundService>();
    for (const service of group) {
      const twin = inGroup.get(service.name);
      if (twin === undefined) inGroup.set(service.name, service);
      else if (twin.folder !== service.folder) offences.push(sameName(twin, service));
    }
    for (const [name, service] of inGroup) {
      if (!services.has(name)) services.set(name, service);
    }
  }
  return {
    services: [...services.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
    only: byPath.only,
    patternRoots: input.patterns
      .map((pattern) => resolve(input.base, literalStart(pattern)))
      .filter((folder) => folder !== input.base),
    offences,
  };
}

interface PathReading {
  readonly services: readonly FoundService[];
  readonly only: readonly string[] | undefined;
}

function readPaths({ only, cwd }: DiscoverInput, offences: Offence[]): PathReading {
  const services: FoundService[] = [];
  const names = only?.flatMap((entry) => {
    if (!isPath(entry)) return [entry];
    const there = readNamed(resolve(cwd, entry), {
      shown: entry.replace(/\/+$/, ""),
      place: `--services ${entry}`,
      offences,
    });
    services.push(...there);
    return there.map(({ name }) => name);
  });
  // Nothing but broken paths is one mistake, not an empty list as well.
  const onlyBroken = names?.length === 0 && only !== undefined && only.length > 0;
  return { services, only: onlyBroken ? undefined : names };
}

/** `services.<name>.from`: a path from the configuration's folder, or an installed package. */
function readFrom({ tree, base, cwd }: DiscoverInput, offences: Offence[]): FoundService[] {
  const section = getAtPointer(tree, "/services");
  if (typeof section !== "object" || section === null) return [];
  return Object.entries(section).flatMap(([name, entry]: [string, unknown]) => {
    const from = typeof entry === "object" && entry !== null && "from" in entry ? entry.from : "";
    // A `from` of another type is refused by the configuration's own check.
    if (typeof from !== "string" || from === "") return [];
    const place = `services.${name}.from`;
    const folder = isPath(from) ? resolve(base, from) : packageFolder(from, base);
    if (folder === undefined) {
      offences.push({
        place,
        message: `The package "${from}" is not installed here.`,
        fix: `Install it beside the configuration, or write a path: ./${from}.`,
      });
      return [];
    }
    const shown = isPath(from) ? shownPath(folder, cwd) : from;
    const there = readNamed(folder, { shown, place, offences });
    const service = there.find((each) => each.name === name);
    if (service === undefined && there.length > 0) {
      offences.push(otherName({ name, shown, place, there }));
    }
    return service === undefined ? [] : [service];
  });
}

interface OtherName {
  readonly name: string;
  readonly shown: string;
  readonly place: string;
  readonly there: readonly FoundService[];
}

/** `from` names a folder that has services, and none of the section's name. */
function otherName({ name, shown, place, there }: OtherName): Offence {
  const names = there.map((each) => each.name);
  const [only = ""] = names;
  const near = names.length === 1 ? only : nearest(name, names);
  return {
    place,
    message:
      names.length === 1
        ? `${shown} is the service "${only}", not "${name}".`
        : `${shown} has the services ${names.join(", ")}, not "${name}".`,
    fix: `Write the section as services.${near ?? `<${names.join(" | ")}>`}.`,
  };
}

interface Naming {
  readonly shown: string;
  readonly place: string;
  readonly offences: Offence[];
}

/** A folder that somebody named must have services. */
function readNamed(folder: string, naming: Naming): readonly FoundService[] {
  const { shown, place, offences } = naming;
  const reading = readServiceFolder(folder, shown);
  if (reading.kind === "services") {
    offences.push(...reading.offences);
    return reading.services;
  }
  offences.push({
    place,
    message: `${shown} is no service: it has no package.json with a "banyan" field.`,
    fix: "Correct the path, or add the field; `banyan new service` shows how it looks.",
  });
  return [];
}

function packageFolder(name: string, base: string): string | undefined {
  try {
    const manifest = findPackageJSON(name, pathToFileURL(`${base}/package.json`));
    return manifest === undefined ? undefined : dirname(manifest);
  } catch {
    // Not installed: the caller says so, with the place that asked for it.
    return undefined;
  }
}

function sameName(first: FoundService, second: FoundService): Offence {
  return {
    place: `services.${first.name}`,
    message: `${first.from} and ${second.from} are both the service "${first.name}".`,
    fix: `Rename one, or choose by services.${first.name}.from.`,
  };
}

function isPath(text: string): boolean {
  return text.startsWith(".") || isAbsolute(text) || text.includes("\\");
}

function shownPath(folder: string, cwd: string): string {
  const near = relative(cwd, folder);
  if (near === "") return ".";
  return near.startsWith("..") ? folder : near;
}
