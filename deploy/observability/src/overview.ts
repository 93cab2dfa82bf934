/** The first look: is everything well, and where not. */

import { nodeVariables, traceHint } from "./dashboard-spec.ts";
import type { DashboardSpec, Row } from "./dashboard-spec.ts";
import { fleet } from "./fleet-row.ts";
import { saturationRows } from "./saturation.ts";
import { errorBudget, node, over, perSecond, quantile } from "./selectors.ts";

/** Brings the labels that say who a node is to what it tells of itself. */
const who =
  "* on (job, instance) group_left (node, version, service_name, environment) " +
  `banyan_node_info{${node}}`;

const now: Row = {
  title: "Now",
  panels: [
    {
      kind: "stat",
      title: "Nodes up",
      about: "Nodes that answered the last scrape.",
      width: 4,
      unit: "none",
      query: { expr: `sum(up{${node}})` },
    },
    {
      kind: "stat",
      title: "Alerts firing",
      about: "Each has a section in RUNBOOK.md.",
      width: 4,
      unit: "none",
      query: { expr: `count(ALERTS{job=~"$job", alertstate="firing"}) or vector(0)` },
      steps: [1, 5],
    },
    {
      kind: "stat",
      title: "Calls",
      about: "Of all services, those that services make of each other included.",
      width: 4,
      unit: "reqps",
      query: { expr: perSecond("rpc_server_duration_seconds_count", node, []) },
    },
    {
      kind: "stat",
      title: "Faults of the worst service",
      about: "Share of its calls in five minutes. 0.1 % is the objective, 1.44 % wakes somebody.",
      width: 4,
      unit: "percentunit",
      query: { expr: `max(job_service:rpc_server_faults:ratio_rate5m{job=~"$job"})` },
      steps: [errorBudget, 14.4 * errorBudget],
    },
    {
      kind: "stat",
      title: "p99 of calls",
      about: "One of a hundred calls takes as long, or longer.",
      width: 4,
      unit: "s",
      query: {
        expr: quantile(0.99, "rpc_server_duration_seconds", {
          where: `${node}, rpc_service!="node"`,
          by: [],
          over,
        }),
      },
      steps: [0.5, 1],
    },
    {
      kind: "stat",
      title: "Dead letters in an hour",
      about: "Events that were given up: banyan events dead-letters list.",
      width: 4,
      unit: "none",
      query: {
        expr: `sum(job_bus_subscription:banyan_subscription_dead_letters:increase1h{job=~"$job"})`,
      },
      steps: [1, 100],
    },
    {
      kind: "table",
      title: "Services",
      about: "Budget: faults of three days against the objective; above 1 it will be missed.",
      width: 14,
      labels: { rpc_service: "Service" },
      columns: [
        {
          title: "Calls",
          unit: "reqps",
          expr: `sum by (rpc_service) (job_service_method:rpc_server_calls:rate5m{job=~"$job"})`,
        },
        {
          title: "Faults",
          unit: "percentunit",
          expr: `max by (rpc_service) (job_service:rpc_server_faults:ratio_rate5m{job=~"$job"})`,
        },
        {
          title: "Budget",
          unit: "short",
          expr: `max by (rpc_service) (job_service:rpc_server_faults:ratio_rate3d{job=~"$job"}) / ${errorBudget}`,
        },
        {
          title: "Slowest p99",
          unit: "s",
          expr: `max by (rpc_service) (job_service_method:rpc_server_duration_seconds:p99_5m{job=~"$job"})`,
        },
      ],
      link: { label: "rpc_service", dashboard: "banyan-service", variable: "service" },
    },
    {
      kind: "table",
      title: "Alerts",
      about: "What fires or is about to, with the place it concerns.",
      width: 10,
      labels: { alertname: "Alert", severity: "Severity", alertstate: "State" },
      columns: [
        {
          title: "How many",
          unit: "none",
          expr: `count by (alertname, severity, alertstate) (ALERTS{job=~"$job"})`,
        },
      ],
    },
    {
      kind: "table",
      title: "Nodes",
      about: "Ready is 1 while a node takes calls; at 100 % of limits.inFlightMax it refuses them.",
      width: 24,
      labels: {
        instance: "Instance",
        node: "Node",
        version: "Version",
        service_name: "Name",
        environment: "Environment",
        job: "Job",
      },
      columns: [
        { title: "Ready", unit: "none", expr: `banyan_node_ready{${node}} ${who}` },
        {
          title: "Started",
          unit: "dateTimeFromNow",
          expr: `1000 * process_start_time_seconds{${node}} ${who}`,
        },
        {
          title: "Calls of their limit",
          unit: "percentunit",
          expr: `rpc_server_active_calls{${node}} / banyan_calls_active_limit{${node}} ${who}`,
        },
        { title: "Memory", unit: "bytes", expr: `process_memory_usage_bytes{${node}} ${who}` },
      ],
    },
  ],
};

const traffic: Row = {
  title: "Traffic and errors",
  panels: [
    {
      kind: "time",
      title: "Calls by service",
      about: "How often each service is called, from outside and by others.",
      width: 8,
      unit: "reqps",
      stacked: true,
      queries: [
        {
          expr: perSecond("rpc_server_duration_seconds_count", node, ["rpc_service"]),
          legend: "{{rpc_service}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Errors by kind",
      about:
        "internal, unavailable, deadline_exceeded and the like are faults; others are callers'.",
      width: 8,
      unit: "reqps",
      stacked: true,
      queries: [
        {
          expr: perSecond("rpc_server_errors_total", node, ["rpc_service", "error_type"]),
          legend: "{{rpc_service}} {{error_type}}",
        },
      ],
    },
    {
      kind: "time",
      title: "HTTP by status",
      about: "Everything that was answered, pages of the node included.",
      width: 8,
      unit: "reqps",
      stacked: true,
      queries: [
        {
          expr: perSecond("http_server_request_duration_seconds_count", node, [
            "http_request_method",
            "http_response_status_code",
          ]),
          legend: "{{http_request_method}} {{http_response_status_code}}",
        },
      ],
    },
    {
      kind: "time",
      title: "Share of faults",
      about: "By service, over five minutes; the line is the objective.",
      width: 12,
      unit: "percentunit",
      limit: errorBudget,
      queries: [
        {
          expr: `job_service:rpc_server_faults:ratio_rate5m{job=~"$job"}`,
          legend: "{{rpc_service}}",
        },
        { expr: `job:http_server_faults:ratio_rate5m{job=~"$job"}`, legend: "HTTP" },
      ],
    },
    {
      kind: "time",
      title: "Spending of the error budget",
      about: "1 is what may be spent; 14.4 for an hour or 6 for six hours wakes somebody.",
      width: 12,
      unit: "short",
      limit: 14.4,
      queries: [
        {
          expr: `job_service:rpc_server_faults:ratio_rate1h{job=~"$job"} / ${errorBudget}`,
          legend: "{{rpc_service}}, one hour",
        },
        {
          expr: `job_service:rpc_server_faults:ratio_rate6h{job=~"$job"} / ${errorBudget}`,
          legend: "{{rpc_service}}, six hours",
        },
      ],
    },
  ],
};

const latency: Row = {
  title: "Latency",
  panels: [
    {
      kind: "time",
      title: "Calls by service, p99",
      about: `From the pipeline's start to the handler's end. ${traceHint}`,
      width: 12,
      unit: "s",
      limit: 0.5,
      queries: [
        {
          expr: quantile(0.99, "rpc_server_duration_seconds", {
            where: `${node}, rpc_service!="node"`,
            by: ["rpc_service"],
            over,
          }),
          legend: "{{rpc_service}}",
          exemplar: true,
        },
      ],
    },
    {
      kind: "time",
      title: "HTTP by route, p99",
      about: "The ten slowest, from the head of the request to the last byte of the answer.",
      width: 12,
      unit: "s",
      limit: 1,
      queries: [
        {
          expr: `topk(10, job_route:http_server_request_duration_seconds:p99_5m{job=~"$job"})`,
          legend: "{{http_route}}",
        },
      ],
    },
  ],
};

export const overview: DashboardSpec = {
  uid: "banyan-overview",
  title: "Banyan / Overview",
  about: "Is everything well, and where not: nodes, traffic, errors, latency, saturation.",
  variables: nodeVariables,
  rows: [now, traffic, latency, fleet, ...saturationRows],
};
