/**
 * Sources to candidates: every flag, variable and file is read once and laid beside the leaf it
 * sets, strongest first. What no leaf claims becomes a problem that names the nearest known name.
 *
 * Nothing is validated here, and no unknown name's value enters a message: it may be a secret whose
 * name was mistyped.
 */

import { encodePointer, parsePointer } from "../schema/pointer.ts";
import { checkValue } from "./check-value.ts";
import type { ConfigBranch, ConfigLeaf, ConfigNode, ConfigTree } from "./config-node.ts";
import { convertText } from "./convert.ts";
import { ENV_PREFIX, isPassedOver, serviceEnvPrefix } from "./env-names.ts";
import { compareText } from "./problems.ts";
import type { ConfigProblem, Origin } from "./problems.ts";
import { asRecord } from "./schema-view.ts";
import type { ConfigSection } from "./sections.ts";
import { notAnObject, notByFlag, unknownKey, unknownVariable } from "./unknown-names.ts";

/** A value given on the command line. Of two for the same place the later one wins. */
export interface ConfigFlag {
  /** JSON pointer into the configuration tree: `/http/port`. */
  readonly pointer: string;
  /** Text is converted by the schema; anything else is taken as it is; `undefined` is not set. */
  readonly value: unknown;
  /** As the user wrote it: `--port`. */
  readonly flag: string;
}

/** A configuration file that was read and parsed by someone else. */
export interface ConfigFile {
  /** As messages show it: `banyan.yaml`. */
  readonly name: string;
  /** What the parser made of it; `undefined` or `null` for an empty file. */
  readonly tree: unknown;
  /** Where a pointer stands in the text, both from 1. */
  readonly locate?: (
    pointer: string,
  ) => { readonly line: number; readonly column: number } | undefined;
}

/** Everything values can come from, besides the defaults in the schemas. */
export interface ConfigSources {
  readonly flags?: readonly ConfigFlag[];
  /** An empty variable counts as not set, so `BANYAN_HTTP_PORT= banyan up` switches one off. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Of several files the first that sets a leaf wins. */
  readonly files?: readonly ConfigFile[];
}

/** Names that are right although no section claims them. */
export interface KnownNames {
  /** Services that exist; their sections and variables are passed over when they are not loaded. */
  readonly knownServices?: readonly string[];
  /** Starts of variables that are passed over: `BANYAN_HELLO_`. */
  readonly knownPrefixes?: readonly string[];
  /** Variables that the host reads by itself before configuration is resolved. */
  readonly knownVariables?: readonly string[];
}

/** What one source says about one leaf. */
export type Candidate =
  | { readonly kind: "value"; readonly value: unknown; readonly originAt: OriginAt }
  | {
      readonly kind: "refused";
      readonly text: string;
      readonly expected: string;
      readonly originAt: OriginAt;
    };

/** The origin of a pointer into the whole tree, as this source sees it. */
export type OriginAt = (pointer: string) => Origin;

/** All candidates by leaf, and the branches that some source speaks of. */
export interface SourceReading {
  readonly candidates: ReadonlyMap<string, readonly Candidate[]>;
  readonly touched: ReadonlySet<string>;
  readonly problems: readonly ConfigProblem[];
}

interface Reading {
  readonly tree: ConfigTree;
  readonly candidates: Map<string, Candidate[]>;
  readonly touched: Set<string>;
  readonly problems: ConfigProblem[];
}

/** Reads all sources, strongest first. */
export function readSources(
  tree: ConfigTree,
  sources: ConfigSources,
  known: KnownNames & { readonly sections: readonly ConfigSection[] },
): SourceReading {
  const reading: Reading = { tree, candidates: new Map(), touched: new Set(), problems: [] };
  for (const flag of (sources.flags ?? []).toReversed()) readFlag(reading, flag);
  readEnv(reading, sources.env ?? {}, known);
  for (const file of sources.files ?? []) readFile(reading, file);
  return reading;
}

function readFlag(reading: Reading, flag: ConfigFlag): void {
  if (flag.value === undefined) return;
  const path = parsePointer(flag.pointer) ?? [];
  const originAt = (): Origin => ({ kind: "flag", name: flag.flag });
  let node: ConfigNode = reading.tree.root;
  for (const [index, key] of path.entries()) {
    if (node.kind === "passed-over") return;
    const child: ConfigNode | undefined =
      node.kind === "branch" ? node.children.get(key) : undefined;
    if (child === undefined) {
      const unknown = { path: path.slice(0, index + 1), parent: node };
      reading.problems.push(unknownKey(reading.tree, unknown, originAt()));
      return;
    }
    node = child;
  }
  const text = typeof flag.value === "string" ? flag.value : undefined;
  // A service's switch was read, and judged, when it was decided which services run.
  if (node.kind === "reserved" && node.path.at(-1) === "enabled") return;
  if (text !== undefined && node.kind === "leaf") addText(reading, node, { text, originAt });
  else if (text !== undefined && node.kind === "branch") addBranchText(reading, node, flag);
  else spread(reading, node, { value: flag.value, originAt });
}

/** A flag may set a whole branch by a JSON object. */
function addBranchText(reading: Reading, node: ConfigBranch, flag: ConfigFlag): void {
  const originAt = (): Origin => ({ kind: "flag", name: flag.flag });
  const conversion = convertText(String(flag.value), { type: "object" });
  const value = conversion.kind === "value" ? conversion.value : flag.value;
  spread(reading, node, { value, originAt });
}

function readEnv(
  reading: Reading,
  env: NonNullable<ConfigSources["env"]>,
  known: KnownNames & { readonly sections: readonly ConfigSection[] },
): void {
  const expected = new Set([...reading.tree.variables, ...(known.knownVariables ?? [])]);
  const loaded = known.sections.map((section) => `${section.envPrefix}_`);
  const services = (known.knownServices ?? []).map((name) => `${serviceEnvPrefix(name)}_`);
  const passed = [...(known.knownPrefixes ?? []), ...services.filter((p) => !loaded.includes(p))];
  for (const variable of Object.keys(env).toSorted(compareText)) {
    const text = env[variable];
    if (text === undefined || text === "") continue;
    const originAt = (): Origin => ({ kind: "env", name: variable });
    const leaf = reading.tree.leafOfVariable.get(variable);
    if (leaf !== undefined) addText(reading, leaf, { text, originAt });
    else if (!variable.startsWith(ENV_PREFIX) || expected.has(variable)) continue;
    else if (!isPassedOver(variable, loaded, passed)) {
      reading.problems.push(unknownVariable(variable, expected));
    }
  }
}

function readFile(reading: Reading, file: ConfigFile): void {
  const originAt = (pointer: string): Origin => ({
    kind: "file",
    name: file.name,
    ...file.locate?.(pointer),
  });
  if (file.tree === undefined) return;
  spread(reading, reading.tree.root, { value: file.tree, originAt });
}

interface Given {
  readonly value: unknown;
  readonly originAt: OriginAt;
}

/** Lays a value over the tree below a node: declared objects key by key, the rest as a whole. */
function spread(reading: Reading, node: ConfigNode, { value, originAt }: Given): void {
  switch (node.kind) {
    case "passed-over":
      return;
    case "reserved": {
      const origin = originAt(node.pointer);
      if (origin.kind === "flag") reading.problems.push(notByFlag(node, origin));
      const checked = checkValue({ ...node, secret: false }, value, originAt);
      if (checked.kind === "invalid") reading.problems.push(...checked.problems);
      return;
    }
    case "leaf":
      add(reading, node, { kind: "value", value, originAt });
      return;
    case "branch":
      spreadBranch(reading, node, { value, originAt });
  }
}

function spreadBranch(reading: Reading, node: ConfigBranch, { value, originAt }: Given): void {
  // `http:` with nothing below it is what remains when its lines are commented out.
  if (value === null) return;
  const record = asRecord(value);
  if (record === undefined) {
    reading.problems.push(notAnObject(node, value, originAt(node.pointer)));
    return;
  }
  reading.touched.add(node.pointer);
  for (const [key, entry] of Object.entries(record)) {
    const child = node.children.get(key);
    if (child !== undefined) {
      spread(reading, child, { value: entry, originAt });
      continue;
    }
    const path = [...node.path, key];
    const origin = originAt(encodePointer(path));
    reading.problems.push(unknownKey(reading.tree, { path, parent: node }, origin));
  }
}

function addText(
  reading: Reading,
  leaf: ConfigLeaf,
  { text, originAt }: { readonly text: string; readonly originAt: OriginAt },
): void {
  const conversion = convertText(text, leaf.schema);
  if (conversion.kind === "value") {
    add(reading, leaf, { kind: "value", value: conversion.value, originAt });
  } else {
    add(reading, leaf, { kind: "refused", text, expected: conversion.expected, originAt });
  }
}

function add(reading: Reading, leaf: ConfigLeaf, candidate: Candidate): void {
  const list = reading.candidates.get(leaf.pointer);
  if (list === undefined) reading.candidates.set(leaf.pointer, [candidate]);
  else list.push(candidate);
  for (let depth = 0; depth < leaf.path.length; depth += 1) {
    reading.touched.add(encodePointer(leaf.path.slice(0, depth)));
  }
}
