/** The panels in Grafana's JSON: what each kind draws, and how. */

import type { Panel, Query, StatPanel, TablePanel, TimePanel } from "./dashboard-spec.ts";

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [key: string]: Json };
export type Table = Readonly<Record<string, Json>>;

/** The reader chooses it: no dashboard knows the id of a data source. */
export const datasource: Table = { type: "prometheus", uid: "${datasource}" };

/** What is particular to its kind; place, title and id are the dashboard's. */
export function renderPanel(panel: Panel): Table {
  switch (panel.kind) {
    case "time":
      return renderTime(panel);
    case "stat":
      return renderStat(panel);
    case "table":
      return renderTable(panel);
    default:
      return assertNever(panel);
  }
}

function renderTime({ unit, queries, stacked, limit }: TimePanel): Table {
  return {
    fieldConfig: {
      defaults: {
        color: { mode: "palette-classic" },
        custom: {
          drawStyle: "line",
          fillOpacity: stacked === true ? 40 : 8,
          lineWidth: 1,
          showPoints: "auto",
          spanNulls: false,
          stacking: { group: "A", mode: stacked === true ? "normal" : "none" },
          thresholdsStyle: { mode: limit === undefined ? "off" : "dashed" },
        },
        min: 0,
        thresholds: thresholds(limit === undefined ? [] : [["red", limit]]),
        unit,
      },
      overrides: [],
    },
    options: {
      legend: {
        calcs: ["lastNotNull", "max"],
        displayMode: "table",
        placement: "bottom",
        showLegend: true,
      },
      tooltip: { mode: "multi", sort: "desc" },
    },
    targets: queries.map((query, index) => ({ ...renderQuery(query, index), range: true })),
    type: "timeseries",
  };
}

function renderStat({ unit, query, steps }: StatPanel): Table {
  const colors =
    steps === undefined
      ? []
      : ([
          ["orange", steps[0]],
          ["red", steps[1]],
        ] as const);
  return {
    fieldConfig: {
      defaults: { color: { mode: "thresholds" }, thresholds: thresholds(colors), unit },
      overrides: [],
    },
    options: {
      colorMode: steps === undefined ? "none" : "value",
      graphMode: "area",
      justifyMode: "auto",
      orientation: "auto",
      reduceOptions: { calcs: ["lastNotNull"], fields: "", values: false },
      textMode: "auto",
      wideLayout: true,
    },
    targets: [{ ...renderQuery(query, 0), range: true }],
    type: "stat",
  };
}

/** Each query is a column `Value #A`, …; they are joined by their labels. */
function renderTable({ labels, columns, link }: TablePanel): Table {
  const values = columns.map((column, index) => ({ ...column, field: `Value #${refIdOf(index)}` }));
  const order = [...Object.keys(labels), ...values.map(({ field }) => field)];
  const titles = {
    ...labels,
    ...Object.fromEntries(values.map(({ field, title }) => [field, title])),
  };
  return {
    fieldConfig: {
      defaults: { color: { mode: "thresholds" }, thresholds: thresholds([]) },
      overrides: [
        ...values.map(({ title, unit }) => override(title, "unit", unit)),
        ...(link === undefined ? [] : [renderLink(labels, link)]),
      ],
    },
    options: { cellHeight: "sm", showHeader: true },
    targets: columns.map(({ expr }, index) => ({
      ...renderQuery({ expr }, index),
      format: "table",
      instant: true,
    })),
    transformations: [
      { id: "merge", options: {} },
      {
        id: "organize",
        options: {
          excludeByName: { Time: true },
          indexByName: Object.fromEntries(order.map((name, index) => [name, index])),
          renameByName: titles,
        },
      },
    ],
    type: "table",
  };
}

function renderLink(labels: TablePanel["labels"], link: NonNullable<TablePanel["link"]>): Table {
  const { label, dashboard, variable } = link;
  const query = `var-${variable}=\${__value.text}&\${datasource:queryparam}&\${job:queryparam}`;
  const url = `/d/${dashboard}?${query}&\${__url_time_range}`;
  return override(labels[label] ?? label, "links", [{ title: "Show it", url }]);
}

function override(field: string, id: string, value: Json): Table {
  return { matcher: { id: "byName", options: field }, properties: [{ id, value }] };
}

function renderQuery({ expr, legend, exemplar }: Query, index: number): Table {
  return {
    datasource,
    editorMode: "code",
    ...(exemplar === true ? { exemplar: true } : {}),
    expr,
    legendFormat: legend ?? "__auto",
    refId: refIdOf(index),
  };
}

function refIdOf(index: number): string {
  return String.fromCharCode(65 + index);
}

function thresholds(steps: readonly (readonly [color: string, value: number])[]): Table {
  const list = steps.map(([color, value]) => ({ color, value }));
  return { mode: "absolute", steps: [{ color: "green", value: null }, ...list] };
}

function assertNever(panel: never): never {
  throw new Error(`No panel: ${JSON.stringify(panel)}`);
}
