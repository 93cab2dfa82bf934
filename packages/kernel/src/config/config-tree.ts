/**
 * The declared shape of the whole configuration: sections in, one tree of nodes out.
 *
 * A node is a branch (an object whose keys are all declared; sources are laid over each other key
 * by key below it), a leaf (set as a whole: scalar, list, map, union), a reserved key of a service,
 * or a name that is passed over because its service is not loaded. Reading, describing and the JSON
 * Schema of the file all walk this tree, so they cannot disagree about what a key is.
 */

import type { JsonSchemaObject } from "../schema/json-schema.ts";
import { encodePointer } from "../schema/pointer.ts";
import { claimOwners, claimProblems, envName, switchClaims } from "./env-names.ts";
import type { EnvClaim } from "./env-names.ts";
import { emptyBranch, placeOf } from "./config-node.ts";
import type { ConfigBranch, ConfigLeaf, ConfigNode, ConfigTree } from "./config-node.ts";
import type { ReservedKey } from "./config-node.ts";
import type { ConfigProblem } from "./problems.ts";
import {
  asRecord,
  closeSchema,
  declaredProperties,
  followRef,
  holdsSecret,
} from "./schema-view.ts";
import { RESERVED_SERVICE_KEYS, reservedServiceSchemas } from "./sections.ts";
import type { ConfigSection } from "./sections.ts";

/** Builds the tree. `knownServices` also holds the services that exist but are not loaded. */
export function buildConfigTree(
  sections: readonly ConfigSection[],
  knownServices: readonly string[] = [],
): ConfigTree {
  const root = emptyBranch([]);
  const problems: ConfigProblem[] = [];
  for (const section of sections) insertSection(root, section, problems);
  addServiceKeys(root, knownServices, problems);
  const leaves = leavesBelow(root);
  const claims = [...switchClaims(serviceNames(root, knownServices)), ...leaves.map(claimOf)];
  const owners = claimOwners(claims);
  const owned = leaves.filter((leaf) => owners.get(leaf.env)?.pointer === leaf.pointer);
  return {
    root,
    leaves,
    leafOfVariable: new Map(owned.map((leaf) => [leaf.env, leaf])),
    variables: new Set(owners.keys()),
    problems: [...problems, ...claimProblems(claims)],
  };
}

function insertSection(
  root: ConfigBranch,
  section: ConfigSection,
  problems: ConfigProblem[],
): void {
  const node = buildNode(section, {
    path: section.path,
    schema: asRecord(section.schema) ?? {},
    required: section.required ?? true,
    secret: false,
    above: [],
  });
  let parent = root;
  for (const [index, key] of section.path.entries()) {
    const existing = parent.children.get(key);
    if (index === section.path.length - 1) {
      if (existing === undefined) parent.children.set(key, node);
      else mergeInto(existing, node, problems);
      return;
    }
    if (existing !== undefined && existing.kind !== "branch") {
      problems.push(takenTwice(node));
      return;
    }
    const branch = existing ?? emptyBranch(section.path.slice(0, index + 1));
    parent.children.set(key, branch);
    parent = branch;
  }
  mergeInto(root, node, problems);
}

/** The same place twice is fine only where one of the two merely holds other sections. */
function mergeInto(existing: ConfigNode, added: ConfigNode, problems: ConfigProblem[]): void {
  if (existing.kind !== "branch" || added.kind !== "branch") {
    problems.push(takenTwice(added));
    return;
  }
  if (existing.section !== undefined && added.section !== undefined) {
    problems.push(takenTwice(added));
    return;
  }
  Object.assign(existing, { ...added, children: existing.children });
  for (const [key, child] of added.children) {
    if (existing.children.has(key)) problems.push(takenTwice(child));
    else existing.children.set(key, child);
  }
}

function takenTwice(node: ConfigNode): ConfigProblem {
  return {
    pointer: node.pointer,
    message: `${node.name} is declared by two sections of the configuration.`,
    fix: "Give one of the two another path.",
  };
}

interface NodePlan {
  readonly path: readonly string[];
  readonly schema: JsonSchemaObject;
  readonly required: boolean;
  readonly secret: boolean;
  /** Schemas from the section's root down to here: a schema inside itself ends as a leaf. */
  readonly above: readonly unknown[];
}

function buildNode(section: ConfigSection, plan: NodePlan): ConfigLeaf | ConfigBranch {
  const root = asRecord(section.schema) ?? {};
  const view = followRef(plan.schema, root);
  const marked = view["x-secret"] === true || view["writeOnly"] === true;
  const shared = {
    ...placeOf(plan.path),
    section,
    required: plan.required,
    default: view["default"],
    description: typeof view["description"] === "string" ? view["description"] : undefined,
  };
  const recursive = plan.above.includes(view["properties"] ?? view);
  const properties = recursive ? undefined : declaredProperties(plan.schema, root);
  if (properties === undefined) {
    const below = plan.path.slice(section.path.length);
    return {
      ...shared,
      kind: "leaf",
      env: section.envNames?.[encodePointer(below)] ?? envName(section.envPrefix, below),
      schema: closeSchema(plan.schema, root),
      secret: plan.secret || marked || holdsSecret(plan.schema, root),
    };
  }
  const children = new Map<string, ConfigNode>();
  for (const [key, property] of properties) {
    const child = buildNode(section, {
      path: [...plan.path, key],
      schema: property.schema,
      required: property.required,
      secret: plan.secret || marked,
      above: [...plan.above, view["properties"] ?? view],
    });
    children.set(key, child);
  }
  return { ...shared, kind: "branch", children, secret: plan.secret || marked };
}

function addServiceKeys(
  root: ConfigBranch,
  knownServices: readonly string[],
  problems: ConfigProblem[],
): void {
  const existing = root.children.get("services");
  if (existing === undefined && knownServices.length === 0) return;
  const services = existing ?? emptyBranch(["services"]);
  if (services.kind !== "branch") return;
  root.children.set("services", services);
  for (const [name, node] of services.children) {
    if (node.kind !== "branch") continue;
    for (const key of RESERVED_SERVICE_KEYS) {
      const taken = node.children.get(key);
      if (taken !== undefined) problems.push(reservedTaken(name, taken));
      node.children.set(key, reservedKey([...node.path, key]));
    }
  }
  for (const name of knownServices) {
    if (services.children.has(name)) continue;
    services.children.set(name, { kind: "passed-over", ...placeOf(["services", name]) });
  }
}

function reservedKey(path: readonly string[]): ReservedKey {
  const schema = reservedServiceSchemas[path.at(-1) ?? ""] ?? {};
  return { kind: "reserved", ...placeOf(path), schema };
}

function reservedTaken(service: string, node: ConfigNode): ConfigProblem {
  return {
    pointer: node.pointer,
    message: `${node.name} is reserved by the platform and cannot be configuration of ${service}.`,
    fix: `Rename the key in the configuration of the contract "${service}".`,
  };
}

function serviceNames(root: ConfigBranch, knownServices: readonly string[]): string[] {
  const services = root.children.get("services");
  const loaded = services?.kind === "branch" ? [...services.children.keys()] : [];
  return [...new Set([...loaded, ...knownServices])];
}

function claimOf(leaf: ConfigLeaf): EnvClaim {
  return { variable: leaf.env, pointer: leaf.pointer, name: leaf.name };
}

function leavesBelow(branch: ConfigBranch): ConfigLeaf[] {
  return [...branch.children.values()].flatMap((node) => {
    if (node.kind === "leaf") return [node];
    return node.kind === "branch" ? leavesBelow(node) : [];
  });
}
