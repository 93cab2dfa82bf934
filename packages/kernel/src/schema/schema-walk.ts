// Ways through the nodes of a schema: to what applies at the same place, and one level deeper.
import type { SchemaNode } from "./schema-node.ts";

/** The schemas that apply to the same place as the node does. */
export function samePlaceParts(node: SchemaNode): SchemaNode[] {
  const { conditional } = node;
  const branches = [node.not, conditional?.test, conditional?.whenTrue, conditional?.whenFalse];
  return [
    ...node.all,
    ...(node.any?.nodes ?? []),
    ...(node.one?.nodes ?? []),
    ...branches.filter((part) => part !== undefined),
  ];
}

/** The nodes and all that apply to the same place. */
export function closure(nodes: readonly SchemaNode[]): SchemaNode[] {
  const all = new Set(nodes);
  for (const node of all) for (const part of samePlaceParts(node)) all.add(part);
  return [...all];
}

/** The schemas of one property or item. */
export function childNodes(node: SchemaNode, key: string | number): SchemaNode[] {
  if (typeof key === "number") {
    const item = node.array?.prefix[key] ?? node.array?.rest;
    const contains = node.array?.contains?.node;
    return [item, contains].filter((child) => child !== undefined);
  }
  const { object } = node;
  if (object === undefined) return [];
  const named = object.properties.filter(({ name }) => name === key).map((rule) => rule.node);
  const matched = object.patterns.filter((rule) => rule.pattern.test(key)).map((rule) => rule.node);
  const found = [...named, ...matched];
  return found.length > 0 || object.additional === undefined ? found : [object.additional];
}
