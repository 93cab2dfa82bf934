/** Words that the house does not use: in code, in comments, in casts. */

import { isHouseSource, isLaw, isSource, isTestSide } from "../repo.ts";
import type { Finding, Rule } from "../repo.ts";

export const syntax: Rule = {
  name: "syntax",
  about: "No `export *`, no enum, no cast without a comment that says why it holds.",
  check(repo) {
    return repo.paths.filter(isSource).flatMap((path) => {
      const facts = repo.facts(path);
      const at = (lines: readonly number[], message: string): Finding[] =>
        lines.map((line) => ({ path, line, message }));
      const casts = isTestSide(path) && !path.startsWith("tools/") ? [] : facts.bareCastLines;
      return [
        ...facts.syntaxErrors.map((message) => ({ path, line: 1, message })),
        ...at(facts.exportAllLines, "`export *` hides what a door offers; name the exports."),
        ...at(facts.enumLines, "An enum is not erasable; use a const object and a type."),
        ...at(casts, "`as` needs a comment, on its line or above, that says why it holds."),
      ];
    });
  },
};

export const todos: Rule = {
  name: "todos",
  about: "TODO only as TODO(#n) with its issue; FIXME and XXX never.",
  check(repo) {
    return repo.paths.filter(isSource).flatMap((path) =>
      repo.facts(path).comments.flatMap(({ text, line }) => {
        const bad = /\bTODO\b(?!\(#\d+\))|\bFIXME\b|\bXXX\b/.exec(text);
        if (bad === null) return [];
        return [{ path, line, message: `${bad[0]} in a comment; write TODO(#n) or do it.` }];
      }),
    );
  },
};

/** Paths of one machine; put together here so that this file does not hold them. */
const machinePaths = new RegExp(
  ["/wo" + "rk/", "/tm" + "p/", "/ho" + "me/", "/Us" + "ers/"].join("|"),
);

export const machine: Rule = {
  name: "machine",
  about: "No path of somebody's machine in a source or a page.",
  check(repo) {
    return repo.paths
      .filter((path) => !isTestSide(path) || path.startsWith("tools/"))
      .filter((path) => !path.endsWith(".test.ts") && !isLaw(path) && path !== "package-lock.json")
      .flatMap((path) => {
        const lines = repo.text(path).split("\n");
        return lines.flatMap((text, index) => {
          const found = machinePaths.exec(text);
          if (found === null) return [];
          const message = `names a folder of one machine (${found[0]}).`;
          return [{ path, line: index + 1, message }];
        });
      });
  },
};

const sourcesOfChance = new Map([
  ["Date.now", "Clock"],
  ["new Date()", "Clock"],
  ["performance.now", "Clock"],
  ["process.hrtime", "Clock"],
  ["setTimeout", "Clock"],
  ["setInterval", "Clock"],
  ["Math.random", "Random"],
  ["crypto.randomUUID", "ids"],
  ["crypto.randomBytes", "Random"],
  ["crypto.getRandomValues", "Random"],
]);
const chanceImports = new Map([
  ["node:crypto", new Set(["randomUUID", "randomBytes", "randomInt", "getRandomValues"])],
  ["node:timers", new Set(["setTimeout", "setInterval"])],
  ["node:timers/promises", new Set(["setTimeout", "setInterval"])],
]);

export const chance: Rule = {
  name: "chance",
  about: "Time, randomness and ids come from the kernel, so that tests own them.",
  check(repo) {
    return repo.paths.filter(isHouseSource).flatMap((path) => {
      const { uses, imports } = repo.facts(path);
      const called = uses.flatMap(({ name, line }) => {
        const port = sourcesOfChance.get(name);
        if (port === undefined) return [];
        return [{ path, line, message: `${name}: take it from the kernel's ${port}.` }];
      });
      const brought = imports.flatMap(({ specifier, names, line }) => {
        const name = names.find((each) => chanceImports.get(specifier)?.has(each) === true);
        if (name === undefined) return [];
        return [{ path, line, message: `${name} of ${specifier}: take it from the kernel.` }];
      });
      return [...called, ...brought];
    });
  },
};

export const surroundings: Rule = {
  name: "surroundings",
  about: "process.env is read by apps only; console belongs to apps, benches and tools.",
  check(repo) {
    return repo.paths
      .filter((path) => isHouseSource(path) && !path.startsWith("apps/"))
      .flatMap((path) =>
        repo.facts(path).uses.flatMap(({ name, line }) => {
          if (name === "process.env") {
            return [{ path, line, message: "process.env: take configuration as an option." }];
          }
          if (!name.startsWith("console.")) return [];
          return [{ path, line, message: `${name}: use the log that was passed in.` }];
        }),
      );
  },
};

const driverNames = new Set([
  "node:sqlite",
  "better-sqlite3",
  "ioredis",
  "redis",
  "mysql2",
  "mysql2/promise",
  "pg",
  "rabbitmq-client",
  "amqplib",
  "zeromq",
  "nats",
]);

export const drivers: Rule = {
  name: "drivers",
  about: "Only backends, the testbed and benches import a driver.",
  check(repo) {
    return repo.paths
      .filter((path) => isSource(path) && !/^(?:backends|packages\/testbed|bench)\//.test(path))
      .flatMap((path) =>
        repo
          .facts(path)
          .imports.filter(({ specifier }) => driverNames.has(specifier))
          .map(({ specifier, line }) => {
            const message = `${specifier} is a driver; it belongs in backends/.`;
            return { path, line, message };
          }),
      );
  },
};
