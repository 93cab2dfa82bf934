/**
 * What a dashboard is, without what Grafana needs to draw it: rows of panels with their queries.
 * `render-dashboard` makes Grafana's JSON of it.
 */

/** Grafana's names: share of one, seconds, bytes, milliseconds since 1970 as an age, and so on. */
export type Unit =
  | "bytes"
  | "dateTimeFromNow"
  | "none"
  | "ops"
  | "percentunit"
  | "reqps"
  | "s"
  | "short"
  | "wps";

export interface Query {
  readonly expr: string;
  /** `{{label}}` stands for the label's value. */
  readonly legend?: string;
  /** Dots that lead to traces; where the metric has exemplars. */
  readonly exemplar?: true;
}

interface PanelBase {
  readonly title: string;
  /** One or two sentences: what it shows, and what to make of it. */
  readonly about: string;
  /** Of 24 columns. */
  readonly width: number;
}

/** Curves over time. */
export interface TimePanel extends PanelBase {
  readonly kind: "time";
  readonly unit: Unit;
  readonly queries: readonly Query[];
  readonly stacked?: true;
  /** A line at what should not be reached. */
  readonly limit?: number;
}

/** One number: as large as it is important. */
export interface StatPanel extends PanelBase {
  readonly kind: "stat";
  readonly unit: Unit;
  readonly query: Query;
  /** From these on it is yellow, and red. */
  readonly steps?: readonly [yellow: number, red: number];
}

export interface Column {
  readonly title: string;
  readonly unit: Unit;
  readonly expr: string;
}

/** One line for each combination of labels, one column for each query. */
export interface TablePanel extends PanelBase {
  readonly kind: "table";
  /** The labels that name a line, with the titles of their columns. */
  readonly labels: Readonly<Record<string, string>>;
  readonly columns: readonly Column[];
  /** The label that leads to another dashboard, which shows its value. */
  readonly link?: { readonly label: string; readonly dashboard: string; readonly variable: string };
}

export type Panel = TimePanel | StatPanel | TablePanel;

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** What the reader chooses; its values are those of a label. */
export interface Variable {
  readonly name: string;
  readonly title: string;
  readonly metric: string;
  readonly label: string;
  /** Several at once, and all of them at first. */
  readonly several?: true;
}

export interface DashboardSpec {
  /** Of the file and of links. */
  readonly uid: string;
  readonly title: string;
  readonly about: string;
  readonly variables: readonly Variable[];
  readonly rows: readonly Row[];
}

/** The variables that every dashboard begins with. */
export const nodeVariables: readonly Variable[] = [
  { name: "job", title: "Job", metric: "rpc_server_active_calls", label: "job" },
  {
    name: "instance",
    title: "Instance",
    metric: `rpc_server_active_calls{job=~"$job"}`,
    label: "instance",
    several: true,
  },
];

/** A fault of a metric with exemplars leads to its trace: the words for it. */
export const traceHint =
  "Each dot is a call whose trace was kept: click it, or banyan trace show its id.";
