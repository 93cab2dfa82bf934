/** The table of what each engine can do, in the README of state: what engines declare is what the
 * law has held them to. */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { mysqlState } from "@banyan/mysql";
import { postgresState } from "@banyan/postgres";
import { redisState } from "@banyan/redis";
import { sqlite } from "@banyan/sqlite";
import { memoryState, StateCapability } from "@banyan/state";
import type { StateEngineProvider } from "@banyan/state";
import { stateChecks } from "@banyan/state/conformance";

const page = new URL("../../../packages/state/README.md", import.meta.url);
const begin = "<!-- capabilities: written by capability-table.test.ts -->\n\n";
const end = "\n<!-- end of capabilities -->";
const engines: readonly (readonly [head: string, StateEngineProvider])[] = [
  ["memory", memoryState],
  ["SQLite", sqlite],
  ["PostgreSQL", postgresState],
  ["MariaDB", mysqlState],
  ["Redis", redisState],
];

test("the README says which engine can do what, and how much of the law it is held to", () => {
  const text = readFileSync(page, "utf8");
  const from = text.indexOf(begin) + begin.length;
  const to = text.indexOf(end);
  assert.ok(from >= begin.length && to >= from, "the marks of the table are in the README");
  const table = renderTable();
  if (process.env["BANYAN_TEST_UPDATE"] === "1") {
    writeFileSync(page, text.slice(0, from) + table + text.slice(to));
    return;
  }
  const fix =
    "write it with: BANYAN_TEST_UPDATE=1 node --conditions=source --test " +
    "apps/banyan/src/capability-table.test.ts";
  assert.equal(text.slice(from, to), table, fix);
});

function renderTable(): string {
  const declared = Object.values(StateCapability).filter((capability) =>
    engines.some(([, { capabilities }]) => capabilities.has(capability)),
  );
  const rows = [
    ["", ...engines.map(([head]) => head)],
    engines.map(() => "---"),
    ["durability", ...engines.map(([, { kinds }]) => kinds.state)],
    ...declared.map((capability) => [
      `\`${capability}\``,
      ...engines.map(([, { capabilities }]) => (capabilities.has(capability) ? "yes" : "–")),
    ]),
    [`checks of ${stateChecks.length}`, ...engines.map(([, each]) => String(checksOf(each)))],
  ];
  rows[1]?.push("---");
  return rows.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

/** How many sentences of the law it must keep; the others are about what it does not declare. */
function checksOf({ kinds, capabilities }: StateEngineProvider): number {
  return stateChecks.filter(({ needs }) => {
    if (needs === undefined) return true;
    return needs === "durable" ? kinds.state === "durable" : capabilities.has(needs);
  }).length;
}
