/** Grafana's JSON (classic model, schema 39: Grafana 10 and later) of a description. */

import type { DashboardSpec, Panel, Variable } from "./dashboard-spec.ts";
import { datasource, renderPanel } from "./render-panel.ts";
import type { Json, Table } from "./render-panel.ts";

const columnsMax = 24;
const heights: Readonly<Record<Panel["kind"], number>> = { stat: 4, table: 8, time: 8 };

export function renderDashboard(spec: DashboardSpec): Table {
  return {
    annotations: { list: [ownAnnotations, restarts] },
    description: spec.about,
    editable: true,
    fiscalYearStartMonth: 0,
    graphTooltip: 1, // one crosshair for all panels
    id: null,
    links: [siblings],
    panels: renderRows(spec),
    refresh: "30s",
    schemaVersion: 39,
    tags: ["banyan"],
    templating: { list: [chooseDatasource, ...spec.variables.map(renderVariable)] },
    time: { from: "now-1h", to: "now" },
    timepicker: {},
    timezone: "browser",
    title: spec.title,
    uid: spec.uid,
    version: 1,
    weekStart: "",
  };
}

const ownAnnotations: Table = {
  builtIn: 1,
  datasource: { type: "grafana", uid: "-- Grafana --" },
  enable: true,
  hide: true,
  iconColor: "rgba(0, 211, 255, 1)",
  name: "Annotations & Alerts",
  type: "dashboard",
};

/** A start explains many a curve. */
const restarts: Table = {
  datasource,
  enable: true,
  expr: `process_uptime_seconds{job=~"$job", instance=~"$instance"} < 60`,
  hide: false,
  iconColor: "blue",
  name: "Starts",
  step: "60s",
  tagKeys: "instance",
  titleFormat: "{{instance}} started",
};

const siblings: Table = {
  asDropdown: false,
  icon: "external link",
  includeVars: true,
  keepTime: true,
  tags: ["banyan"],
  targetBlank: false,
  title: "Banyan",
  tooltip: "",
  type: "dashboards",
  url: "",
};

const chooseDatasource: Table = {
  hide: 0,
  includeAll: false,
  label: "Data source",
  multi: false,
  name: "datasource",
  options: [],
  query: "prometheus",
  refresh: 1,
  regex: "",
  skipUrlSync: false,
  type: "datasource",
};

const everything: Table = { selected: true, text: ["All"], value: ["$__all"] };

function renderVariable({ name, title, metric, label, several }: Variable): Table {
  const isMany = several === true;
  const query = `label_values(${metric}, ${label})`;
  return {
    ...(isMany ? { allValue: ".*", current: everything } : {}),
    datasource,
    definition: query,
    hide: 0,
    includeAll: isMany,
    label: title,
    multi: isMany,
    name,
    options: [],
    query: { query, refId: "PrometheusVariableQueryEditor-VariableQuery" },
    refresh: 2, // when the time range changes: nodes come and go
    regex: "",
    skipUrlSync: false,
    sort: 1,
    type: "query",
  };
}

/** From left to right, a new line when one is full; every row begins a line. */
function renderRows({ rows, uid }: DashboardSpec): Json[] {
  const panels: Json[] = [];
  let y = 0;
  for (const { title, panels: members } of rows) {
    const gridPos = { h: 1, w: columnsMax, x: 0, y };
    panels.push({
      collapsed: false,
      gridPos,
      id: panels.length + 1,
      panels: [],
      title,
      type: "row",
    });
    y += 1;
    let [x, lineHeight] = [0, 0];
    for (const panel of members) {
      const height = heights[panel.kind];
      if (x + panel.width > columnsMax) [x, y, lineHeight] = [0, y + lineHeight, 0];
      panels.push({
        ...renderPanel(panel),
        datasource,
        description: panel.about,
        gridPos: { h: height, w: panel.width, x, y },
        id: panels.length + 1,
        title: panel.title,
      });
      x += panel.width;
      lineHeight = Math.max(lineHeight, height);
    }
    y += lineHeight;
  }
  if (panels.length === 0) throw new Error(`The dashboard ${uid} is empty.`);
  return panels;
}
