/**
 * Problems about names: keys, variables and flags that nothing reads, with the nearest known one.
 *
 * No value enters these messages: it may be a secret whose name was mistyped.
 */

import { nearest } from "../schema/nearest.ts";
import { encodePointer } from "../schema/pointer.ts";
import type { ConfigBranch, ConfigNode, ConfigTree, ReservedKey } from "./config-node.ts";
import { compareText, originText } from "./problems.ts";
import type { ConfigProblem, Origin } from "./problems.ts";
import { dottedName } from "./sections.ts";

/** A variable of the platform that nobody claims. */
export function unknownVariable(variable: string, known: ReadonlySet<string>): ConfigProblem {
  const near = nearest(variable, known);
  return {
    pointer: "",
    origin: { kind: "env", name: variable },
    message: `${variable}: no configuration reads this variable.`,
    fix:
      near === undefined
        ? `Unset ${variable}, or name a service or a section that this node has.`
        : `Did you mean ${near}? Rename it, or unset it.`,
  };
}

/** A key that its parent does not declare. */
export function unknownKey(
  tree: ConfigTree,
  { path, parent }: { readonly path: readonly string[]; readonly parent: ConfigNode },
  origin: Origin,
): ConfigProblem {
  const key = path.at(-1) ?? "";
  const inside = parent.path.length === 0 ? "the configuration" : parent.name;
  return {
    pointer: encodePointer(path),
    origin,
    message: `${originText(origin)}: ${inside} has no key ${JSON.stringify(key)}.`,
    fix: unknownKeyFix(tree, key, parent),
  };
}

/**
 * A reserved key of a service inside a flag: services are found and chosen before flags are laid
 * over the tree, so accepting it would silently do nothing.
 */
export function notByFlag(node: ReservedKey, origin: Origin): ConfigProblem {
  const way = node.path.at(-1) === "enabled" ? `with a flag for ${node.name} alone` : "in the file";
  return {
    pointer: node.pointer,
    origin,
    message: `${originText(origin)}: ${node.name} cannot be set here.`,
    fix: `Set it ${way}.`,
  };
}

function unknownKeyFix(tree: ConfigTree, key: string, parent: ConfigNode): string {
  if (parent.kind !== "branch") return `Set ${parent.name} as a whole.`;
  const keys = [...parent.children.keys()];
  const near = nearest(key, keys);
  if (near !== undefined) return `Did you mean ${dottedName([...parent.path, near])}?`;
  const elsewhere = tree.leaves.find((leaf) => leaf.path.at(-1) === key);
  if (elsewhere !== undefined) return `Did you mean ${elsewhere.name}?`;
  if (keys.length === 0) return "Remove it: nothing can be configured here.";
  return `Remove it, or use one of: ${keys.toSorted(compareText).join(", ")}.`;
}

/** Something else where keys were expected. */
export function notAnObject(node: ConfigBranch, value: unknown, origin: Origin): ConfigProblem {
  const name = node.path.length === 0 ? "the configuration" : node.name;
  const found = Array.isArray(value) ? "a list" : `a single ${typeof value}`;
  const keys = [...node.children.keys()].toSorted(compareText);
  return {
    pointer: node.pointer,
    origin,
    message: `${originText(origin)}: ${name} must be a set of keys, not ${found}.`,
    ...(keys.length === 0 ? {} : { fix: `Write keys below it: ${keys.join(", ")}.` }),
  };
}
