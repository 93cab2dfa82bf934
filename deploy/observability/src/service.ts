/** One service: the four signals of each operation, its stores, its events, its subscriptions. */

import { nodeVariables, traceHint } from "./dashboard-spec.ts";
import type { DashboardSpec, Row } from "./dashboard-spec.ts";
import { eventRows } from "./service-events.ts";
import { node, over, perSecond, quantile } from "./selectors.ts";

const own = `${node}, rpc_service="$service"`;
/** Recorded series have no instance. */
const recorded = `job=~"$job", rpc_service="$service"`;
const ownStores = `${node}, db_namespace="$service"`;

const operations: Row = {
  title: "Operations",
  panels: [
    {
      kind: "time",
      title: "Traffic",
      about: "Calls of each operation.",
      width: 12,
      unit: "reqps",
      stacked: true,
      queries: [
        {
          expr: perSecond("rpc_server_duration_seconds_count", own, ["rpc_method"]),
          legend: "{{rpc_method}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Errors",
      about: "Calls that ended with an error, by operation and kind.",
      width: 12,
      unit: "reqps",
      queries: [
        {
          expr: perSecond("rpc_server_errors_total", own, ["rpc_method", "error_type"]),
          legend: "{{rpc_method}} {{error_type}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Latency, p99",
      about: traceHint,
      width: 12,
      unit: "s",
      limit: 0.5,
      queries: [
        {
          expr: quantile(0.99, "rpc_server_duration_seconds", {
            where: own,
            by: ["rpc_method"],
            over,
          }),
          legend: "{{rpc_method}}",
          exemplar: true,
        },
      ],
    },
    {
      kind: "time",
      title: "Saturation: calls at once",
      about: "How many calls of each operation are in progress on average: time spent per second.",
      width: 12,
      unit: "short",
      queries: [
        {
          expr: perSecond("rpc_server_duration_seconds_sum", own, ["rpc_method"]),
          legend: "{{rpc_method}}",
        },
      ],
    },
    {
      kind: "table",
      title: "Operations",
      about: "The last five minutes.",
      width: 24,
      labels: { rpc_method: "Operation" },
      columns: [
        {
          title: "Calls",
          unit: "reqps",
          expr: `sum by (rpc_method) (job_service_method:rpc_server_calls:rate5m{${recorded}})`,
        },
        {
          title: "Faults",
          unit: "reqps",
          expr: `sum by (rpc_method) (job_service_method:rpc_server_faults:rate5m{${recorded}}) or 0 * sum by (rpc_method) (job_service_method:rpc_server_calls:rate5m{${recorded}})`,
        },
        {
          title: "p50",
          unit: "s",
          expr: `max by (rpc_method) (job_service_method:rpc_server_duration_seconds:p50_5m{${recorded}})`,
        },
        {
          title: "p99",
          unit: "s",
          expr: `max by (rpc_method) (job_service_method:rpc_server_duration_seconds:p99_5m{${recorded}})`,
        },
      ],
    },
  ],
};

const stores: Row = {
  title: "Its stores",
  panels: [
    {
      kind: "time",
      title: "Store operations",
      about: "By store; a transaction belongs to no single store.",
      width: 12,
      unit: "ops",
      stacked: true,
      queries: [
        {
          expr: perSecond("db_client_operation_duration_seconds_count", ownStores, [
            "db_collection_name",
            "db_operation_name",
          ]),
          legend: "{{db_collection_name}} {{db_operation_name}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Store operations, p99",
      about: "From the call to its answer: for a write, until it is on disk.",
      width: 12,
      unit: "s",
      queries: [
        {
          expr: quantile(0.99, "db_client_operation_duration_seconds", {
            where: ownStores,
            by: ["db_collection_name", "db_operation_name"],
            over,
          }),
          legend: "{{db_collection_name}} {{db_operation_name}}",
        },
      ],
    },
  ],
};

export const service: DashboardSpec = {
  uid: "banyan-service",
  title: "Banyan / Service",
  about: "One service: traffic, errors, latency and saturation of its operations, stores, events.",
  variables: [
    ...nodeVariables,
    {
      name: "service",
      title: "Service",
      metric: `rpc_server_duration_seconds_count{${node}}`,
      label: "rpc_service",
    },
  ],
  rows: [operations, stores, ...eventRows],
};
