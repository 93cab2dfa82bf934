/** What is kept, and how: stores of all services, and the SQLite file under them. */

import { nodeVariables } from "./dashboard-spec.ts";
import type { DashboardSpec, Row } from "./dashboard-spec.ts";
import { node, over, perSecond, quantile } from "./selectors.ts";

const operations = "db_client_operation_duration_seconds_count";

const stores: Row = {
  title: "Stores",
  panels: [
    {
      kind: "table",
      title: "By service",
      about: "The last five minutes. The service node is the node's own: idempotency keys.",
      width: 8,
      labels: { db_namespace: "Service" },
      columns: [
        {
          title: "Operations",
          unit: "ops",
          expr: `sum by (db_namespace) (job_namespace:db_client_operations:rate5m{job=~"$job"})`,
        },
        {
          title: "p99",
          unit: "s",
          expr: `max by (db_namespace) (job_namespace:db_client_operation_duration_seconds:p99_5m{job=~"$job"})`,
        },
      ],
      link: { label: "db_namespace", dashboard: "banyan-service", variable: "service" },
    },
    {
      kind: "time",
      title: "Operations",
      about: "What is asked of which engine.",
      width: 8,
      unit: "ops",
      stacked: true,
      queries: [
        {
          expr: perSecond(operations, node, ["db_system_name", "db_operation_name"]),
          legend: "{{db_system_name}} {{db_operation_name}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Errors",
      about: "Operations that failed, by kind. aborted and failed_precondition are lost races.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond(operations, `${node}, error_type!=""`, [
            "db_namespace",
            "db_collection_name",
            "error_type",
          ]),
          legend: "{{db_namespace}}.{{db_collection_name}} {{error_type}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Operations, p99",
      about: "By what is asked: reads do not wait for the disk, writes do.",
      width: 12,
      unit: "s",
      queries: [
        {
          expr: quantile(0.99, "db_client_operation_duration_seconds", {
            where: node,
            by: ["db_system_name", "db_operation_name"],
            over,
          }),
          legend: "{{db_system_name}} {{db_operation_name}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Slowest stores, p99",
      about: "The ten slowest; without a store's name it is the service's transactions.",
      width: 12,
      unit: "s",
      queries: [
        {
          expr: `topk(10, ${quantile(0.99, "db_client_operation_duration_seconds", {
            where: node,
            by: ["db_namespace", "db_collection_name"],
            over,
          })})`,
          legend: "{{db_namespace}}.{{db_collection_name}}",
        },
      ],
    },
  ],
};

const sqlite: Row = {
  title: "SQLite",
  panels: [
    {
      kind: "stat",
      title: "Takes writes",
      about: "0: a write failed for a reason that lies with the file or its disk.",
      width: 6,
      unit: "none",
      query: { expr: `min(banyan_sqlite_takes_writes{${node}})` },
    },
    {
      kind: "stat",
      title: "Failed writes in an hour",
      about: "Refused by the file, or with an outcome that nobody knows.",
      width: 6,
      unit: "none",
      query: { expr: `sum(increase(banyan_sqlite_failed_writes_total{${node}}[1h]))` },
      steps: [1, 10],
    },
    {
      kind: "stat",
      title: "Writes",
      about: "Of all files.",
      width: 6,
      unit: "wps",
      query: { expr: perSecond("banyan_sqlite_commit_writes_sum", node, []) },
    },
    {
      kind: "stat",
      title: "p99 of commits",
      about: "From BEGIN to what is on disk, the worst instance.",
      width: 6,
      unit: "s",
      query: {
        expr: `max(job_instance_file:banyan_sqlite_commit_duration_seconds:p99_5m{job=~"$job", instance=~"$instance"})`,
      },
      steps: [0.1, 0.25],
    },
    {
      kind: "time",
      title: "Commits and writes",
      about: "Writes that come together share a commit: that is what makes a busy node fast.",
      width: 8,
      unit: "ops",
      queries: [
        {
          expr: perSecond("banyan_sqlite_commit_writes_count", node, ["instance", "file"]),
          legend: "{{instance}} {{file}} commits",
        },
        {
          expr: perSecond("banyan_sqlite_commit_writes_sum", node, ["instance", "file"]),
          legend: "{{instance}} {{file}} writes",
        },
      ],
    },
    {
      kind: "time",
      title: "Writes in a commit",
      about: "How many share one, in the middle and at the top.",
      width: 8,
      unit: "short",
      queries: [0.5, 0.99].map((q) => ({
        expr: quantile(q, "banyan_sqlite_commit_writes", {
          where: node,
          by: ["instance", "file"],
          over,
        }),
        legend: `{{instance}} {{file}} p${q * 100}`,
      })),
    },
    {
      kind: "time",
      title: "Duration of commits",
      about: "The disk's own time. It grows before anything else does.",
      width: 8,
      unit: "s",
      limit: 0.25,
      queries: [0.5, 0.99].map((q) => ({
        expr: quantile(q, "banyan_sqlite_commit_duration_seconds", {
          where: node,
          by: ["instance", "file"],
          over,
        }),
        legend: `{{instance}} {{file}} p${q * 100}`,
      })),
    },
    {
      kind: "time",
      title: "Writes waiting",
      about: "Handed over and not answered yet. At a million the next is refused.",
      width: 8,
      unit: "none",
      queries: [{ expr: `banyan_sqlite_writes_waiting{${node}}`, legend: "{{instance}} {{file}}" }],
    },
    {
      kind: "time",
      title: "Size of files",
      about:
        "The database, and its write-ahead log (-wal), which is used again and seldom shrinks.",
      width: 8,
      unit: "bytes",
      queries: [{ expr: `banyan_sqlite_file_bytes{${node}}`, legend: "{{instance}} {{file}}" }],
    },
    {
      kind: "time",
      title: "Room left on the disk",
      about:
        "What the process may still write. Below 1 GiB is an alert, below 200 MiB wakes somebody.",
      width: 8,
      unit: "bytes",
      queries: [
        { expr: `banyan_sqlite_disk_free_bytes{${node}}`, legend: "{{instance}} {{file}}" },
      ],
    },
  ],
};

export const storesAndSqlite: DashboardSpec = {
  uid: "banyan-stores",
  title: "Banyan / Stores and SQLite",
  about: "What is asked of the stores, how long it takes, and how the file under them does.",
  variables: nodeVariables,
  rows: [stores, sqlite],
};
