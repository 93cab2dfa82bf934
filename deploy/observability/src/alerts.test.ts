import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { resolve } from "node:path";
import { test } from "node:test";
import { checkRules, findReasonToSkip, prometheusPrograms, testRules } from "@banyan/testbed";
import { parse } from "yaml";
import { packFolder, readPackFile, ruleFileNames } from "./expressions.ts";
import { readMentions } from "./promql.ts";
import { recordingGroups } from "./recording-rules.ts";
import { fieldOf, listOf, readRuleFile, textOf } from "./rule-file.ts";
import { errorBudget } from "./selectors.ts";

const prometheusTest = { skip: await findReasonToSkip(prometheusPrograms) };
const { alerts } = readRuleFile(readPackFile("prometheus/rules/banyan-alerts.yml"));
const testFiles = globSync("prometheus/tests/*.test.yml", { cwd: packFolder }).sort();

test("promtool has nothing to say against the rules", prometheusTest, async () => {
  for (const name of ruleFileNames()) {
    const { code, output } = await checkRules(resolve(packFolder, name));
    assert.equal(code, 0, output);
    assert.match(output, /SUCCESS: \d+ rules found/);
  }
});

test("the unit tests of the alerts pass", prometheusTest, async () => {
  const results = await Promise.all(testFiles.map((name) => testRules(resolve(packFolder, name))));
  for (const { code, output } of results) assert.equal(code, 0, output);
  assert.equal(results.length, 6);
});

test("every alert is tested: that it fires, and that it does not", () => {
  const seen = new Map<string, Set<string>>();
  for (const name of testFiles) {
    for (const scene of listOf(fieldOf(parse(readPackFile(name)), "tests"))) {
      for (const asked of listOf(fieldOf(scene, "alert_rule_test"))) {
        const alert = textOf(asked, "alertname");
        const outcome = listOf(fieldOf(asked, "exp_alerts")).length > 0 ? "fires" : "is silent";
        seen.set(alert, (seen.get(alert) ?? new Set()).add(outcome));
      }
    }
  }
  const incomplete = alerts.filter(({ alert }) => seen.get(alert)?.size !== 2);
  assert.deepEqual(
    incomplete.map(({ alert }) => alert),
    [],
  );
  const known = new Set(alerts.map(({ alert }) => alert));
  assert.deepEqual(
    [...seen.keys()].filter((alert) => !known.has(alert)),
    [],
  );
});

test("every alert says how bad it is, what is the matter, how much, and where to read on", () => {
  for (const { alert, labels, annotations } of alerts) {
    assert.match(alert, /^Banyan[A-Z]\w+$/);
    assert.match(labels.get("severity") ?? "", /^(?:critical|warning)$/, alert);
    assert.deepEqual([...annotations.keys()].sort(), ["description", "runbook_url", "summary"]);
    assert.match(annotations.get("description") ?? "", /\{\{ \$value .*\.$/, alert);
    const anchor = `deploy/observability/RUNBOOK.md#${alert.toLowerCase()}`;
    assert.equal(annotations.get("runbook_url"), anchor);
  }
  assert.equal(new Set(alerts.map(({ alert }) => alert)).size, alerts.length);
  assert.match(readPackFile("README.md"), new RegExp(`\\b${alerts.length} alerts\\b`));
});

test("the runbook has a section for every alert, and no other", () => {
  const sections = readPackFile("RUNBOOK.md").split(/^### /m).slice(1);
  const names = sections.map((section) => section.slice(0, section.indexOf("\n")));
  assert.deepEqual(
    names,
    alerts.map(({ alert }) => alert),
  );
  for (const [index, section] of sections.entries()) {
    const words = section.split(/\s+/).length;
    assert.ok(words > 25 && words < 160, `${names[index]} has ${words} words`);
  }
});

test("the commands of the runbook are commands of banyan", () => {
  const page = readPackFile("../../docs/reference/cli.md");
  const verbs = [...page.matchAll(/^## banyan (.+)$/gm)].map(([, verb = ""]) => verb);
  for (const [, line = ""] of readPackFile("RUNBOOK.md").matchAll(/`(?:npx )?banyan ([^`]+)`/g)) {
    const isKnown = verbs.some((verb) => line === verb || line.startsWith(`${verb} `));
    assert.ok(isKnown, `banyan ${line} is no command`);
  }
});

test("alerts ask of nodes alone: each metric is recorded for the job, or matched by it", () => {
  for (const { alert, expr } of alerts) {
    for (const { metric, labels } of readMentions(expr)) {
      assert.ok(metric.startsWith("job") || labels.has("job"), `${alert} asks ${metric} of all`);
    }
  }
  for (const { rules } of recordingGroups) {
    for (const { record, expr } of rules) {
      assert.match(record, /^job\w*:\w+:\w+$/);
      for (const { metric, labels } of readMentions(expr)) assert.ok(labels.has("job"), metric);
    }
  }
});

test("the burn rates are those of the objective", () => {
  const budget = String(errorBudget);
  const burning = alerts.filter(({ alert }) => /Faults(?:Fast|Slow)$/.test(alert));
  assert.equal(burning.length, 4);
  for (const { alert, expr } of burning) {
    const bounds = [...expr.matchAll(/ > (?:(\d+(?:\.\d+)?) \* )?([\d.]+)/g)];
    const factors = bounds.map(([, factor = "1", share]) => {
      assert.equal(share, budget, alert);
      return factor;
    });
    assert.deepEqual(
      factors,
      alert.endsWith("Fast") ? ["14.4", "14.4", "6", "6"] : ["3", "3", "1", "1"],
    );
  }
});
