/** The recording rules: what dashboards and alerts ask often, worked out once. */

import { faults, job, quantile, servedRoutes } from "./selectors.ts";

export interface RecordingRule {
  /** `level:metric:operations`. */
  readonly record: string;
  readonly expr: string;
}

export interface RuleGroup {
  readonly name: string;
  /** For the reader of the file. */
  readonly about: string;
  readonly rules: readonly RecordingRule[];
}

/** Of the burn-rate alerts: each looks at a long window and at a short one. */
const windows = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"] as const;

const calls = `rpc_server_duration_seconds_count{${job}}`;
const callFaults = `rpc_server_errors_total{${job}, ${faults}}`;
const requests = `http_server_request_duration_seconds_count{${job}, ${servedRoutes}}`;
const requestFaults = requests.replace("}", `, http_response_status_code=~"5.."}`);

export const recordingGroups: readonly RuleGroup[] = [
  {
    name: "banyan-calls",
    about: "Instances are added up: whoever calls does not choose one.",
    rules: [
      {
        record: "job_service_method:rpc_server_calls:rate5m",
        expr: `sum by (job, rpc_service, rpc_method) (rate(${calls}[5m]))`,
      },
      {
        record: "job_service_method:rpc_server_faults:rate5m",
        expr: `sum by (job, rpc_service, rpc_method) (rate(${callFaults}[5m]))`,
      },
      ...[0.5, 0.99].map((q) => ({
        record: `job_service_method:rpc_server_duration_seconds:p${q * 100}_5m`,
        expr: quantile(q, "rpc_server_duration_seconds", {
          where: job,
          by: ["job", "rpc_service", "rpc_method"],
          over: "5m",
        }),
      })),
      {
        record: "job_service:rpc_server_faults:increase1h",
        expr: `sum by (job, rpc_service) (increase(${callFaults}[1h]))`,
      },
    ],
  },
  {
    name: "banyan-call-faults",
    about: "Share of calls that ended in a fault: 0 without faults, nothing without calls.",
    rules: windows.map((window) => ({
      record: `job_service:rpc_server_faults:ratio_rate${window}`,
      expr: share({ part: callFaults, whole: calls, by: "job, rpc_service", window }),
    })),
  },
  {
    name: "banyan-http",
    about: "As users see it: the node's own pages have a 503 that is an answer, and streams.",
    rules: [
      {
        record: "job_route:http_server_requests:rate5m",
        expr: `sum by (job, http_route) (rate(${requests}[5m]))`,
      },
      {
        record: "job_route:http_server_request_duration_seconds:p99_5m",
        expr: quantile(0.99, "http_server_request_duration_seconds", {
          where: `${job}, ${servedRoutes}`,
          by: ["job", "http_route"],
          over: "5m",
        }),
      },
      {
        record: "job:http_server_faults:increase1h",
        expr: `sum by (job) (increase(${requestFaults}[1h]))`,
      },
      ...windows.map((window) => ({
        record: `job:http_server_faults:ratio_rate${window}`,
        expr: share({ part: requestFaults, whole: requests, by: "job", window }),
      })),
    ],
  },
  {
    name: "banyan-events",
    about: "Subscriptions are groups of the whole fleet: the worst instance is the group's state.",
    rules: [
      {
        record: "job_group:messaging_process_duration_seconds:p99_5m",
        expr: quantile(0.99, "messaging_process_duration_seconds", {
          where: job,
          by: ["job", "messaging_consumer_group_name"],
          over: "5m",
        }),
      },
      {
        record: "job_bus_subscription:banyan_subscription_lag_seconds:max",
        expr: `max by (job, bus, subscription) (banyan_subscription_lag_seconds{${job}})`,
      },
      {
        record: "job_bus_subscription:banyan_subscription_dead_letters:increase1h",
        expr: `sum by (job, bus, subscription) (increase(banyan_subscription_dead_letters_total{${job}}[1h]))`,
      },
    ],
  },
  {
    name: "banyan-stores",
    about: "Stores by the service that owns them; the file by the instance that owns it.",
    rules: [
      {
        record: "job_namespace:db_client_operations:rate5m",
        expr: `sum by (job, db_namespace) (rate(db_client_operation_duration_seconds_count{${job}}[5m]))`,
      },
      {
        record: "job_namespace:db_client_operation_duration_seconds:p99_5m",
        expr: quantile(0.99, "db_client_operation_duration_seconds", {
          where: job,
          by: ["job", "db_namespace"],
          over: "5m",
        }),
      },
      {
        record: "job_instance_file:banyan_sqlite_commit_duration_seconds:p99_5m",
        expr: quantile(0.99, "banyan_sqlite_commit_duration_seconds", {
          where: job,
          by: ["job", "instance", "file"],
          over: "5m",
        }),
      },
    ],
  },
  {
    name: "banyan-process",
    about: "Cores in use, and the share of time that went into collecting garbage.",
    rules: [
      {
        record: "job_instance:process_cpu_time_seconds:rate5m",
        expr: `sum by (job, instance) (rate(process_cpu_time_seconds_total{${job}}[5m]))`,
      },
      {
        record: "job_instance:v8js_gc_duration_seconds:ratio_rate5m",
        expr: `sum by (job, instance) (rate(v8js_gc_duration_seconds_sum{${job}}[5m]))`,
      },
    ],
  },
];

interface Share {
  readonly part: string;
  readonly whole: string;
  readonly by: string;
  readonly window: string;
}

/** Where nothing of the part was ever counted it has no series: that is 0, not unknown. */
function share({ part, whole, by, window }: Share): string {
  const all = `sum by (${by}) (rate(${whole}[${window}]))`;
  const some = `sum by (${by}) (rate(${part}[${window}]))`;
  return [`(`, `  ${some}`, `  or`, `  0 * ${all}`, `)`, `/ (${all} > 0)`].join("\n");
}

const head = `# Recording rules: what dashboards and alerts ask often, worked out once.
# Written by src/main.ts from src/recording-rules.ts; a test holds the two equal.
#
# A fault is the node's doing: the kinds of error that HTTP tells with 5xx, and what a limit refused
# (429). A caller's mistake is none. Names are level:metric:operations.

groups:
`;

/** The file, as the formatter leaves it. */
export function renderRecordingRules(): string {
  const groups = recordingGroups.map(({ name, about, rules }) => {
    const texts = rules.map(
      ({ record, expr }) => `      - record: ${record}\n        expr: |-\n${indented(expr)}\n`,
    );
    return `  # ${about}\n  - name: ${name}\n    rules:\n${texts.join("")}`;
  });
  return head + groups.join("\n");
}

function indented(expr: string): string {
  return expr.replace(/^/gm, " ".repeat(10));
}
