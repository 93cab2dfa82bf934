import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { renderHelpFor, renderOverview, renderReference } from "./help.ts";
import { verbs } from "./verb-table.ts";

const plain = (_style: unknown, text: string): string => text;
const page = new URL("../../../docs/reference/cli.md", import.meta.url);

test("the reference page says what the verb table says", () => {
  if (process.env["BANYAN_TEST_UPDATE"] === "1") writeFileSync(page, renderReference());
  const fix =
    "write it with: BANYAN_TEST_UPDATE=1 node --conditions=source --test apps/banyan/src/help.test.ts";
  assert.equal(readFileSync(page, "utf8"), renderReference(), fix);
});

test("the overview names every verb but those that only programs use", () => {
  const overview = renderOverview(plain);
  assert.ok(verbs.some(({ hidden }) => hidden));
  for (const { name, summary, hidden } of verbs) {
    assert.equal(overview.includes(`  ${name}`), hidden !== true, name);
    if (hidden) continue;
    assert.ok(overview.includes(summary), name);
  }
});

test("the areas that the examples of readiness name exist", async () => {
  const { default: ledger } = await import("./readiness.generated.json", {
    with: { type: "json" },
  });
  const areas = ledger.entries.map(({ area }) => area);
  for (const { line } of verbs.find(({ name }) => name === "readiness")?.examples ?? []) {
    const [, , area] = line.split(" ");
    assert.ok(area === undefined || areas.includes(area), line);
  }
});

test("help for a verb shows usage, flags and examples", () => {
  const help = renderHelpFor("call", plain) ?? "";
  assert.match(help, /^banyan call <service> <operation> \[json \| - \| key=value…\]$/m);
  assert.match(help, /--timeout <time> /);
  assert.match(help, /banyan call greeter greet name=Ada/);
});

test("help for a group shows all its verbs, help for nothing known is nothing", () => {
  assert.match(
    renderHelpFor("config", plain) ?? "",
    /config show[^]*config validate[^]*config docs/,
  );
  assert.equal(renderHelpFor("zzz", plain), undefined);
});
