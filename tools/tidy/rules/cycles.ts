/** No import cycle between files, type imports included: a file can be read without its readers. */

import { isSource } from "../repo.ts";
import type { Finding, Repo, Rule } from "../repo.ts";
import { resolvePath } from "./floors.ts";

export const cycles: Rule = {
  name: "cycles",
  about: "Files do not import each other in a circle, not even types.",
  check(repo) {
    const graph = new Map(repo.paths.filter(isSource).map((path) => [path, edgesOf(repo, path)]));
    return stronglyConnected(graph).map((group): Finding => {
      const [first = ""] = group;
      return {
        path: first,
        line: 1,
        message: `Import cycle: ${group.join(" → ")} → ${first}. Move what they share downwards.`,
      };
    });
  },
};

function edgesOf(repo: Repo, path: string): string[] {
  return repo
    .facts(path)
    .imports.filter(({ specifier }) => specifier.startsWith("."))
    .map(({ specifier }) => resolvePath(path, specifier))
    .filter((target) => repo.has(target));
}

/** Groups of files that reach each other (Tarjan 1972), and files that import themselves. */
function stronglyConnected(graph: ReadonlyMap<string, readonly string[]>): string[][] {
  const index = new Map<string, number>();
  const stack: string[] = [];
  const groups: string[][] = [];
  const visit = (path: string): number => {
    const order = index.size;
    index.set(path, order);
    stack.push(path);
    let lowest = order;
    for (const next of graph.get(path) ?? []) {
      const seen = index.get(next);
      if (seen === undefined) lowest = Math.min(lowest, visit(next));
      else if (stack.includes(next)) lowest = Math.min(lowest, seen);
    }
    if (lowest === order) {
      const group = stack.splice(stack.indexOf(path)).sort();
      if (group.length > 1 || (graph.get(path) ?? []).includes(path)) groups.push(group);
    }
    return lowest;
  };
  for (const path of graph.keys()) if (!index.has(path)) visit(path);
  return groups;
}
