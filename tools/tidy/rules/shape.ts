/** Sizes and names: what keeps a file a noun and a function a screen. */

import { isGenerated, isSource } from "../repo.ts";
import type { Finding, Rule } from "../repo.ts";

const FILE_LINES_MAX = 500;
const FUNCTION_LINES_MAX = 70;
const PARAMETERS_MAX = 3;
const COLUMNS_MAX = 100;
const README_LINES_MAX = 120;

export const sizes: Rule = {
  name: "sizes",
  about: "Files ≤ 500 lines, functions ≤ 70 lines and 3 parameters, lines ≤ 100 columns.",
  check(repo) {
    return repo.paths
      .filter((path) => isSource(path) && !isGenerated(path))
      .flatMap((path) => [
        ...fileSize(path, repo.text(path)),
        ...repo.facts(path).functions.flatMap((fn) => functionSize(path, fn)),
      ]);
  },
};

function fileSize(path: string, text: string): Finding[] {
  const lines = text.replace(/\n$/, "").split("\n");
  const findings: Finding[] = [];
  if (lines.length > FILE_LINES_MAX) {
    const message = `${lines.length} lines; at most ${FILE_LINES_MAX}. Split it by noun.`;
    findings.push({ path, line: FILE_LINES_MAX + 1, message });
  }
  for (const [index, line] of lines.entries()) {
    if (line.length <= COLUMNS_MAX || isOneString(line)) continue;
    const message = `${line.length} columns; at most ${COLUMNS_MAX}.`;
    findings.push({ path, line: index + 1, message });
  }
  return findings;
}

/** A sentence for a person stays in one piece, so that it can be searched for; a URL as well. */
function isOneString(line: string): boolean {
  const before =
    /^\s*(?:(?:export )?const \w+ = |[\w.]+: |return |\+ |\? |: )?/.exec(line)?.[0] ?? "";
  const rest = line.slice(before.length);
  return /^(["'`]).*\1[\])},;]*(?: \+)?$/.test(rest) || /https?:\/\/\S{60,}/.test(rest);
}

interface FunctionSize {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
  readonly parameters: number;
  readonly isSuite: boolean;
}

function functionSize(path: string, fn: FunctionSize): Finding[] {
  const findings: Finding[] = [];
  if (fn.lines > FUNCTION_LINES_MAX && !fn.isSuite) {
    const message = `${fn.name} has ${fn.lines} lines; at most ${FUNCTION_LINES_MAX}.`;
    findings.push({ path, line: fn.line, message });
  }
  if (fn.parameters > PARAMETERS_MAX) {
    const message = `${fn.name} has ${fn.parameters} parameters; after three, an options object.`;
    findings.push({ path, line: fn.line, message });
  }
  return findings;
}

const namesForbidden = /^(?:utils?|helpers?|common|types|misc)$/;

export const names: Rule = {
  name: "names",
  about: "Files are kebab-case nouns: no utils, helpers, common, types, misc, no numbers.",
  check(repo) {
    return repo.paths.filter(isSource).flatMap((path) => {
      const file = path.slice(path.lastIndexOf("/") + 1);
      const base = file.replace(/(?:\.[a-z]+)+$/, "").replace(/^[._]/, "");
      const folders = path.split("/").slice(1, -1);
      const findings: Finding[] = [];
      const report = (message: string): unknown => findings.push({ path, line: 1, message });
      for (const name of [base, ...folders]) {
        if (namesForbidden.test(name)) report(`"${name}" says nothing; name what is in it.`);
      }
      if (/-\d+$/.test(base)) report("A numbered file; name what is different.");
      if (!/^[a-z][a-z0-9]*(?:[-.][a-z0-9]+)*$/.test(base)) {
        report("File names are kebab-case, after their main export.");
      }
      return findings;
    });
  },
};

export const readmeSize: Rule = {
  name: "readme-size",
  about: "READMEs have at most 120 lines: idea, example, guarantees, limits.",
  check(repo) {
    return repo.paths
      .filter((path) => /(?:^|\/)README\.md$/.test(path))
      .flatMap((path) => {
        const lines = repo.text(path).replace(/\n$/, "").split("\n").length;
        if (lines <= README_LINES_MAX) return [];
        const message = `${lines} lines; at most ${README_LINES_MAX}. Move the rest to docs/.`;
        return [{ path, line: README_LINES_MAX + 1, message }];
      });
  },
};
