// Unions: which kinds their values have, and whether one property tells the branches apart.
import { type Branches, KIND_ANY, Kind, type SchemaNode, type UnionTag } from "./schema-node.ts";
import { kindOfValue } from "./json-value.ts";

/** The kinds of a closed list of values; every kind when there is no list. */
export function kindsOfValues(values: readonly unknown[] | undefined): number {
  if (values === undefined) return KIND_ANY;
  let kinds = 0;
  for (const value of values) kinds |= kindOfValue(value);
  return kinds;
}

/** The branches of `anyOf` or `oneOf`; the tag is found later, when every node is complete. */
export function readBranches(nodes: readonly SchemaNode[]): Branches | undefined {
  if (nodes.length === 0) return undefined;
  let tag: UnionTag | undefined | null = null;
  return {
    nodes,
    // Asked for at the first use: a branch may refer to a node that is still being read.
    get tag(): UnionTag | undefined {
      if (tag === null) tag = findTag(nodes);
      return tag;
    },
  };
}

/**
 * The property that every branch requires with a value of its own. With it at most one branch can
 * match, so it alone is checked and its issues are the ones to report.
 */
function findTag(nodes: readonly SchemaNode[]): UnionTag | undefined {
  if (nodes.length < 2) return undefined;
  for (const { name } of nodes[0]?.object?.properties ?? []) {
    const byValue = new Map<unknown, SchemaNode>();
    if (nodes.every((node) => addTagValues(byValue, node, name))) return { name, byValue };
  }
  return undefined;
}

function addTagValues(byValue: Map<unknown, SchemaNode>, node: SchemaNode, name: string): boolean {
  if (node.kinds !== Kind.object) return false;
  const property = node.object?.properties.find((candidate) => candidate.name === name);
  const values = property?.node.values;
  if (values === undefined || property?.required !== true) return false;
  // A property with a default may be absent, and then it says nothing.
  if (property.fill !== undefined) return false;
  for (const value of values) {
    if (typeof value === "object" || byValue.has(value)) return false;
    byValue.set(value, node);
  }
  return true;
}
