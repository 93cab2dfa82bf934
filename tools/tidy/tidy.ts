/** The style test: all rules over one tree, minus the exceptions that are made by name. */

import { exceptions as houseExceptions } from "./exceptions.ts";
import type { Exception } from "./exceptions.ts";
import type { Finding, Repo, Rule } from "./repo.ts";
import { cycles } from "./rules/cycles.ts";
import { dependencies } from "./rules/dependencies.ts";
import { doorDocs, manifests } from "./rules/doors.ts";
import { errorDocs } from "./rules/error-docs.ts";
import { floors } from "./rules/floors.ts";
import { links } from "./rules/links.ts";
import { readmeExamples } from "./rules/readme-examples.ts";
import { lockfile } from "./rules/lockfile.ts";
import { names, readmeSize, sizes } from "./rules/shape.ts";
import { chance, drivers, machine, surroundings, syntax, todos } from "./rules/syntax.ts";

export const rules: readonly Rule[] = [
  floors,
  cycles,
  dependencies,
  manifests,
  lockfile,
  drivers,
  doorDocs,
  sizes,
  names,
  syntax,
  chance,
  surroundings,
  machine,
  todos,
  errorDocs,
  links,
  readmeSize,
  readmeExamples,
];

export interface RuleFinding extends Finding {
  readonly rule: string;
}

export async function tidy(
  repo: Repo,
  exceptions: readonly Exception[] = houseExceptions,
): Promise<RuleFinding[]> {
  const all = await Promise.all(
    rules.map(async (rule) =>
      (await rule.check(repo)).map((finding) => ({ ...finding, rule: rule.name })),
    ),
  );
  const findings = all.flat();
  const excused = (finding: RuleFinding): Exception | undefined =>
    exceptions.find(({ rule, file }) => rule === finding.rule && file === finding.path);
  const used = new Set(findings.map(excused));
  const stale = exceptions
    .filter((exception) => !used.has(exception))
    .map(({ rule, file }) => ({
      rule: "exceptions",
      path: "tools/tidy/exceptions.ts",
      line: 1,
      message: `The exception ${rule} for ${file} is not needed any more; remove it.`,
    }));
  return [...findings.filter((finding) => excused(finding) === undefined), ...stale];
}
