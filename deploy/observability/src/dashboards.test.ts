import assert from "node:assert/strict";
import { test } from "node:test";
import { dashboardFile, dashboards, dashboardText } from "./dashboards.ts";
import type { DashboardSpec } from "./dashboard-spec.ts";
import {
  dashboardExpressions,
  dashboardFileNames,
  fillVariables,
  readPackFile,
} from "./expressions.ts";
import { readMentions } from "./promql.ts";
import { renderDashboard } from "./render-dashboard.ts";
import { fieldOf, listOf, textOf } from "./rule-file.ts";
import { writtenFiles } from "./written-files.ts";

const values = { job: "a", instance: "b", service: "c", bus: "d", __rate_interval: "1m" };
const shipped = dashboardFileNames().map((name): unknown => JSON.parse(readPackFile(name)));

test("the files are what their descriptions say", () => {
  for (const [name, text] of writtenFiles()) {
    const advice = "run: node --conditions=source deploy/observability/src/main.ts";
    assert.ok(readPackFile(name) === text, `${name} is not what is described; ${advice}`);
  }
  assert.deepEqual(dashboardFileNames(), dashboards.map(dashboardFile).sort());
});

test("a dashboard is Grafana's classic model, and names no database id", () => {
  for (const dashboard of shipped) {
    const title = textOf(dashboard, "title");
    assert.match(textOf(dashboard, "uid"), /^banyan-[a-z]+$/);
    assert.match(title, /^Banyan \/ /);
    assert.equal(fieldOf(dashboard, "id"), null);
    assert.equal(fieldOf(dashboard, "schemaVersion"), 39);
    assert.deepEqual(fieldOf(dashboard, "tags"), ["banyan"]);
    const [first] = listOf(fieldOf(fieldOf(dashboard, "templating"), "list"));
    assert.deepEqual([textOf(first, "name"), textOf(first, "type")], ["datasource", "datasource"]);
  }
});

test("whatever asks, asks the data source that the reader chose", () => {
  const asking = (value: unknown): unknown[] => {
    if (typeof value !== "object" || value === null) return [];
    const own = fieldOf(value, "datasource");
    return [...(own === undefined ? [] : [own]), ...Object.values(value).flatMap(asking)];
  };
  for (const dashboard of shipped) {
    const sources = asking(dashboard).filter((source) => textOf(source, "type") !== "grafana");
    assert.ok(sources.length > 20);
    for (const source of sources) {
      assert.deepEqual(source, { type: "prometheus", uid: "${datasource}" });
    }
  }
});

test("panels lie side by side: within the width, none on another, each with its own id", () => {
  for (const dashboard of shipped) {
    const panels = listOf(fieldOf(dashboard, "panels"));
    const ids = panels.map((panel) => fieldOf(panel, "id"));
    assert.equal(new Set(ids).size, panels.length);
    const taken = new Set<string>();
    for (const panel of panels) {
      const place = fieldOf(panel, "gridPos");
      const [x, y, w, h] = ["x", "y", "w", "h"].map((name) => Number(fieldOf(place, name)));
      const title = textOf(panel, "title");
      for (let column = x ?? 0; column < (x ?? 0) + (w ?? 0); column += 1) {
        for (let line = y ?? 0; line < (y ?? 0) + (h ?? 0); line += 1) {
          const cell = `${column} ${line}`;
          assert.ok(column < 24 && !taken.has(cell), `${title} does not fit at ${cell}`);
          taken.add(cell);
        }
      }
    }
  }
});

test("every panel says what it shows, in what unit, and of what", () => {
  for (const dashboard of shipped) {
    for (const panel of listOf(fieldOf(dashboard, "panels"))) {
      const title = textOf(panel, "title");
      if (textOf(panel, "type") === "row") continue;
      assert.match(textOf(panel, "description"), /\.$/, `${title} is not described`);
      const targets = listOf(fieldOf(panel, "targets"));
      const refIds = new Set(targets.map((target) => textOf(target, "refId")));
      assert.ok(targets.length > 0 && refIds.size === targets.length, title);
      const defaults = fieldOf(fieldOf(panel, "fieldConfig"), "defaults");
      if (textOf(panel, "type") !== "table") assert.notEqual(textOf(defaults, "unit"), "", title);
    }
  }
});

test("panels of latency have exemplars, and only histograms are asked for them", () => {
  let count = 0;
  for (const dashboard of shipped) {
    for (const panel of listOf(fieldOf(dashboard, "panels"))) {
      for (const target of listOf(fieldOf(panel, "targets"))) {
        if (fieldOf(target, "exemplar") !== true) continue;
        count += 1;
        const expr = fillVariables(textOf(target, "expr"), values);
        for (const { metric } of readMentions(expr)) assert.match(metric, /_seconds_bucket$/);
      }
    }
  }
  assert.equal(count, 4);
});

test("every variable is used, and no other is named", () => {
  for (const dashboard of shipped) {
    const text = JSON.stringify(dashboard);
    for (const variable of listOf(fieldOf(fieldOf(dashboard, "templating"), "list"))) {
      const name = textOf(variable, "name");
      const uses = text.split(new RegExp(`\\$\\{?${name}\\b`)).length - 1;
      assert.ok(uses > 0, `${textOf(dashboard, "title")}: nothing uses ${name}`);
    }
  }
  // Throws for one that has no value.
  assert.ok(dashboardExpressions(values).length > 100);
  assert.throws(() => fillVariables('up{job=~"$jobs"}', values), /\$jobs has no value/);
});

test("links lead to dashboards that are there", () => {
  const uids = new Set(shipped.map((dashboard) => textOf(dashboard, "uid")));
  for (const [, uid = ""] of JSON.stringify(shipped).matchAll(/"\/d\/([\w-]+)\?/g)) {
    assert.ok(uids.has(uid), uid);
  }
});

test("a dashboard without panels is a mistake", () => {
  const empty: DashboardSpec = { uid: "x", title: "X", about: "X.", variables: [], rows: [] };
  assert.throws(() => renderDashboard(empty), /is empty/);
  assert.ok(dashboards.every((spec) => dashboardText(spec).endsWith("}\n")));
});
