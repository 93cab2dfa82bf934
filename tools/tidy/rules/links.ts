/** Relative links in pages lead to files and headings that exist. */

import type { Finding, Repo, Rule } from "../repo.ts";
import { resolvePath } from "./floors.ts";

export const links: Rule = {
  name: "links",
  about: "Relative links and anchors in *.md lead somewhere.",
  check(repo) {
    return repo.paths
      .filter((path) => path.endsWith(".md"))
      .flatMap((path) =>
        linksOf(repo.text(path)).flatMap(({ target, line }): Finding[] => {
          const problem = follow(repo, path, target);
          return problem === undefined ? [] : [{ path, line, message: problem }];
        }),
      );
  },
};

interface Link {
  readonly target: string;
  readonly line: number;
}

function linksOf(text: string): Link[] {
  return proseLines(text).flatMap(({ text: prose, line }) =>
    [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\s*\[[^\]]+\]:\s*(\S+)/g)].map((match) => ({
      target: match[1] ?? match[2] ?? "",
      line,
    })),
  );
}

function follow(repo: Repo, path: string, target: string): string | undefined {
  if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return undefined; // https:, mailto:
  const [file = "", anchor] = target.split("#");
  const decoded = decodeURIComponent(file);
  const found = decoded === "" ? path : resolvePath(path, decoded).replace(/\/$/, "");
  const isFolder = repo.paths.some((each) => each.startsWith(`${found}/`)) || found === "";
  if (!repo.has(found) && !isFolder && !existsUnread(found)) return `dead link: ${target}`;
  if (anchor === undefined || !found.endsWith(".md") || !repo.has(found)) return undefined;
  if (anchorsOf(repo.text(found)).has(anchor)) return undefined;
  return `dead anchor: ${target} (${found} has no such heading)`;
}

/** Files that the tree does not list, because no rule reads them. */
function existsUnread(path: string): boolean {
  return /^(?:LICENSE|\.nvmrc|\.ci\/run)$/.test(path);
}

/** Heading anchors as GitHub makes them, and explicit `<a id="…">`. */
export function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const counts = new Map<string, number>();
  for (const { text: prose } of proseLines(text)) {
    for (const [, id = ""] of prose.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
    const heading = /^#{1,6}\s+(.*?)\s*#*$/.exec(prose)?.[1];
    if (heading === undefined) continue;
    const slug = heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, "")
      .replaceAll(" ", "-");
    const count = counts.get(slug) ?? 0;
    counts.set(slug, count + 1);
    anchors.add(count === 0 ? slug : `${slug}-${count}`);
  }
  return anchors;
}

/** The lines outside fenced blocks, with inline code blanked. */
function proseLines(text: string): { text: string; line: number }[] {
  let fence: string | undefined;
  return text.split("\n").flatMap((line, index) => {
    const mark = /^\s*(```+|~~~+)/.exec(line)?.[1];
    if (fence !== undefined) {
      if (mark?.startsWith(fence) === true) fence = undefined;
      return [];
    }
    if (mark !== undefined) {
      fence = mark;
      return [];
    }
    const isHeading = line.startsWith("#");
    return [{ text: isHeading ? line : line.replace(/`[^`]*`/g, ""), line: index + 1 }];
  });
}
