// What the generator may simplify without changing the meaning: intersections of plain objects
// become one object, unions whose branches exclude each other become a switch.
import {
  type Branches,
  isPlain,
  Kind,
  KIND_ANY,
  type ObjectRules,
  type SchemaNode,
  type UnionTag,
} from "./schema-node.ts";

/** A union of which at most one branch can match: decided by a tag, or by the kind of the value. */
export type Dispatch =
  | { readonly by: "tag"; readonly tag: UnionTag; readonly nodes: readonly SchemaNode[] }
  | { readonly by: "kind"; readonly nodes: readonly SchemaNode[] };

/**
 * True when one schema alone describes each place, so that the copy is made in one go. Everything
 * else is evaluated branch by branch, merged and completed (see `merged-copy.ts`).
 */
export function isStraight(node: SchemaNode): boolean {
  if (dispatchOf(node) !== undefined) return true;
  return isPlain(node) && !mergesInside(node.object);
}

/** One property may be described by its name and by patterns. */
function mergesInside(rules: ObjectRules | undefined): boolean {
  if (rules === undefined || rules.patterns.length === 0) return false;
  return rules.properties.length > 0 || rules.patterns.length > 1;
}

/** How to choose the branch of a node that is nothing but a union of exclusive branches. */
export function dispatchOf(node: SchemaNode): Dispatch | undefined {
  const branches = onlyUnion(node);
  if (branches === undefined) return undefined;
  const { tag, nodes } = branches;
  if (tag !== undefined) return { by: "tag", tag, nodes };
  const grouped = node.any === undefined ? nodes : groupLiterals(nodes);
  let seen = 0;
  for (const branch of grouped) {
    if ((seen & branch.kinds) !== 0) return undefined;
    seen |= branch.kinds;
  }
  return { by: "kind", nodes: grouped };
}

function onlyUnion(node: SchemaNode): Branches | undefined {
  if (!hasNoRules(node) || node.all.length > 0 || node.not !== undefined) return undefined;
  if (node.conditional !== undefined) return undefined;
  if (node.any !== undefined && node.one !== undefined) return undefined;
  return node.any ?? node.one;
}

/** True when the node's own keywords allow every JSON value. */
export function hasNoRules(node: SchemaNode): boolean {
  if (node.never || node.kinds !== KIND_ANY || node.values !== undefined) return false;
  const { string, number, object, array } = node;
  return (
    string === undefined && number === undefined && object === undefined && array === undefined
  );
}

/** Branches of single values (`t.Literal`) become one branch with a list of values. */
function groupLiterals(nodes: readonly SchemaNode[]): readonly SchemaNode[] {
  const literals = nodes.filter(isLiteral);
  const [first] = literals;
  if (first === undefined || literals.length < 2) return nodes;
  const values = literals.flatMap((node) => node.values ?? []);
  const kinds = literals.reduce((all, node) => all | node.kinds, 0);
  const others = nodes.filter((node) => !isLiteral(node));
  return [{ ...first, values, kinds, shared: false }, ...others];
}

function isLiteral(node: SchemaNode): boolean {
  if (!isPlain(node) || node.values === undefined) return false;
  const { string, number } = node;
  return string === undefined && number === undefined && node.values.every(isScalar);
}

/** True for values that `===` compares as JSON does. */
export function isScalar(value: unknown): boolean {
  return typeof value !== "object" || value === null;
}

/** The node to write code for: an intersection of plain objects as one object. */
export function flatten(node: SchemaNode): SchemaNode {
  if (node.all.length === 0 || !isPlain({ ...node, all: [] })) return node;
  const parts = [{ ...node, all: [] }, ...node.all.map(flatten)];
  if (!parts.every(isFlat) || !parts.some((part) => part.kinds === Kind.object)) return node;
  const rules = parts.flatMap((part) => part.object ?? []);
  const names = rules.flatMap((part) => part.properties.map(({ name }) => name));
  if (new Set(names).size < names.length) return node;
  const others = new Set(rules.flatMap((part) => part.requiredOthers));
  const properties = rules.flatMap((part) => part.properties);
  const object: ObjectRules = {
    properties: properties.map((rule) => ({
      ...rule,
      required: rule.required || others.has(rule.name),
    })),
    requiredOthers: [...others].filter((name) => !names.includes(name)),
    patterns: [],
    additional: undefined,
    names: undefined,
    minProperties: Math.max(0, ...rules.map((part) => part.minProperties)),
    maxProperties: Math.min(Infinity, ...rules.map((part) => part.maxProperties)),
    dependentRequired: rules.flatMap((part) => part.dependentRequired),
    described: rules.some((part) => part.described),
  };
  return { ...node, all: [], kinds: Kind.object, object };
}

function isFlat(node: SchemaNode): boolean {
  if (node.never || !isPlain(node) || node.values !== undefined) return false;
  if ((node.kinds & Kind.object) === 0 || (node.kinds !== KIND_ANY && node.kinds !== Kind.object)) {
    return false;
  }
  if (node.string !== undefined || node.number !== undefined || node.array !== undefined) {
    return false;
  }
  const { object } = node;
  if (object === undefined) return true;
  return (
    object.patterns.length === 0 && object.additional === undefined && object.names === undefined
  );
}
