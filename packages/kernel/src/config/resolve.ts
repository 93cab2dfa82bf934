/**
 * Configuration resolution: sections and sources in, one frozen tree out, with the origin of every
 * value and every problem at once. Pure: whoever calls it has read the file and the environment.
 *
 * I1  Order: flag > environment > file > default. The strongest source that says anything about a
 *     leaf wins; what it covers is not looked at, so a broken value can be overridden at night.
 * I2  A wrong value never falls back to a weaker source: it is a problem, and the leaf stays empty.
 * I3  Declared objects are laid over each other key by key; lists, maps and unions as a whole.
 * I4  No value of a leaf that holds a secret enters a message.
 */

import { checkValue, refusedProblem } from "./check-value.ts";
import { buildConfigTree } from "./config-tree.ts";
import type { ConfigBranch, ConfigLeaf, ConfigTree } from "./config-node.ts";
import { mergeProblems } from "./problems.ts";
import type { ConfigProblem, Origin } from "./problems.ts";
import { readSources } from "./read-sources.ts";
import type { Candidate, ConfigSources, KnownNames, SourceReading } from "./read-sources.ts";
import { asRecord, holdsSecret } from "./schema-view.ts";
import type { ConfigSection } from "./sections.ts";

/** What {@link resolveConfig} works on. */
export interface ResolveConfigInput extends KnownNames {
  readonly sections: readonly ConfigSection[];
  readonly sources: ConfigSources;
  /**
   * The flag that sets a pointer, for the advice about missing values; `undefined` where there is
   * none. Default: `--set http.port=…`.
   */
  readonly flagFor?: (pointer: string, name: string) => string | undefined;
}

/** The resolved configuration. Use `values` only when there are no problems. */
export interface ConfigResolution {
  /** Frozen through and through; holds what is valid even when there are problems. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Origin of every value, by the JSON pointer of its leaf. */
  readonly origins: ReadonlyMap<string, Origin>;
  /** Everything that is wrong, sorted; empty when all is well. */
  readonly problems: readonly ConfigProblem[];
}

/** The origin of what no source set. */
const defaultOrigin: Origin = Object.freeze({ kind: "default", name: "default" });

/**
 * Resolves the configuration of a node. Never throws for what users wrote; throws `SchemaError` for
 * a section whose schema the contract check would have refused.
 *
 * @example
 * const { values, problems } = resolveConfig({
 *   sections: [{ path: ["http"], envPrefix: "BANYAN_HTTP", schema: httpSchema }],
 *   sources: { env: process.env, files: [{ name: "banyan.yaml", tree, locate }] },
 * });
 */
export function resolveConfig(input: ResolveConfigInput): ConfigResolution {
  const tree = buildConfigTree(input.sections, input.knownServices);
  const reading = readSources(tree, input.sources, input);
  const assembly: Assembly = {
    input,
    tree,
    reading,
    origins: new Map(),
    problems: [],
    unsound: new Set(),
  };
  const values = assembleBranch(assembly, tree.root, undefined);
  return {
    values: Object.freeze(asRecord(values) ?? {}),
    origins: assembly.origins,
    problems: mergeProblems(tree.problems, reading.problems, assembly.problems),
  };
}

/** The value at a section's path, or `undefined` where the section is absent. */
export function sectionValue(resolution: ConfigResolution, path: readonly string[]): unknown {
  let value: unknown = resolution.values;
  for (const key of path) {
    const record = asRecord(value);
    value = record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
  }
  return value;
}

interface Assembly {
  readonly input: ResolveConfigInput;
  readonly tree: ConfigTree;
  readonly reading: SourceReading;
  readonly origins: Map<string, Origin>;
  readonly problems: ConfigProblem[];
  /** Sections with a problem: they are not judged as a whole on top of it. */
  readonly unsound: Set<ConfigSection>;
}

/** `inherited` is what the default of an object further up says about this place. */
function assembleBranch(assembly: Assembly, node: ConfigBranch, inherited: unknown): unknown {
  const fallback = asRecord(inherited) ?? asRecord(node.default);
  const present = node.required || fallback !== undefined;
  if (!present && !assembly.reading.touched.has(node.pointer)) return undefined;
  const own: Record<string, unknown> = {};
  const all: Record<string, unknown> = {};
  for (const [key, child] of node.children) {
    if (child.kind !== "branch" && child.kind !== "leaf") continue;
    const below =
      fallback !== undefined && Object.hasOwn(fallback, key) ? fallback[key] : undefined;
    const value =
      child.kind === "branch"
        ? assembleBranch(assembly, child, below)
        : assembleLeaf(assembly, child, below);
    if (value === undefined) continue;
    define(all, key, value);
    if (child.section === node.section) define(own, key, value);
  }
  const { section } = node;
  if (section !== undefined && section.path.length === node.path.length) {
    checkSection(assembly, { node, section, value: own });
  }
  return Object.freeze(all);
}

function assembleLeaf(assembly: Assembly, leaf: ConfigLeaf, inherited: unknown): unknown {
  const winner = assembly.reading.candidates.get(leaf.pointer)?.[0];
  const candidate = winner ?? defaultCandidate(leaf, inherited);
  if (candidate === undefined) {
    if (leaf.required) fail(assembly, leaf, [missingProblem(assembly.input, leaf)]);
    return undefined;
  }
  const origin = candidate.originAt(leaf.pointer);
  if (candidate.kind === "refused") {
    fail(assembly, leaf, [refusedProblem(leaf, { ...candidate, origin })]);
    return undefined;
  }
  const checked = checkValue(leaf, candidate.value, candidate.originAt);
  if (checked.kind === "invalid") {
    fail(assembly, leaf, checked.problems);
    return undefined;
  }
  assembly.origins.set(leaf.pointer, origin);
  return freezeDeep(checked.value);
}

function defaultCandidate(leaf: ConfigLeaf, inherited: unknown): Candidate | undefined {
  const value = inherited ?? leaf.default;
  if (value === undefined) return undefined;
  return { kind: "value", value, originAt: () => defaultOrigin };
}

function fail(assembly: Assembly, leaf: ConfigLeaf, problems: readonly ConfigProblem[]): void {
  assembly.unsound.add(leaf.section);
  assembly.problems.push(...problems);
}

/** Rules that no single leaf can see, such as `dependentRequired` or `if` … `then`. */
function checkSection(
  assembly: Assembly,
  { node, section, value }: { node: ConfigBranch; section: ConfigSection; value: unknown },
): void {
  if (assembly.unsound.has(section)) return;
  const schema = asRecord(section.schema) ?? {};
  const fix = `Change what is set in ${node.name}, so that its keys fit together.`;
  const place = { ...node, schema, secret: holdsSecret(schema, schema), fix };
  const checked = checkValue(place, value, (pointer) => nearestOrigin(assembly.origins, pointer));
  if (checked.kind === "invalid") assembly.problems.push(...checked.problems);
}

/** The origin of the leaf that a pointer is in; a default is no place to look at. */
function nearestOrigin(origins: ReadonlyMap<string, Origin>, pointer: string): Origin | undefined {
  for (let rest = pointer; rest !== ""; rest = rest.slice(0, rest.lastIndexOf("/"))) {
    const origin = origins.get(rest);
    if (origin !== undefined) return origin.kind === "default" ? undefined : origin;
  }
  return undefined;
}

function missingProblem(input: ResolveConfigInput, leaf: ConfigLeaf): ConfigProblem {
  const flagFor = input.flagFor ?? ((_pointer, name) => `--set ${name}=…`);
  const flag = flagFor(leaf.pointer, leaf.name);
  const file = input.sources.files?.[0]?.name ?? "banyan.yaml";
  const ways = [`the variable ${leaf.env}`, `${leaf.name} in ${file}`];
  if (flag !== undefined) ways.unshift(`the flag ${flag}`);
  const list = `${ways.slice(0, -1).join(", ")} or ${ways.at(-1) ?? ""}`;
  return {
    pointer: leaf.pointer,
    message: `${leaf.name} is required and has no default.`,
    fix: `Set it by ${list}.`,
  };
}

/** Defines rather than assigns, so a key named `__proto__` is a key like any other. */
function define(target: Record<string, unknown>, key: string, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

function freezeDeep(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  for (const entry of Object.values(value)) freezeDeep(entry);
  return Object.freeze(value);
}
