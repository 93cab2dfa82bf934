/** What a node under load must tell, if it tells the truth. */

import type { LoadCounts } from "./desk-load.ts";

/** One number, and what it may be. */
export type Plausible = readonly [expr: string, least: number, most: number];

/** Events that the load publishes for nobody to handle; each is tried twice. */
export const deadLetters = 7;

/** What was caused is counted to the last one; the rest lies within reason. */
export function plausible({ orders, faults, mistakes }: LoadCounts): readonly Plausible[] {
  return [
    ...counted(orders + mistakes, `sum(rpc_server_duration_seconds_count{rpc_method="place"})`),
    ...counted(mistakes, `sum(rpc_server_errors_total{rpc_service="orders"})`),
    ...counted(faults, `sum(rpc_server_errors_total{error_type="internal"})`),
    ...counted(
      faults,
      `sum(http_server_request_duration_seconds_count{http_response_status_code="500"})`,
    ),
    ...counted(deadLetters, `sum(banyan_subscription_dead_letters_total)`),
    ...counted(deadLetters, `sum(banyan_subscription_retried_messages_total)`),
    ...counted(2 * orders + deadLetters, `sum(banyan_bus_published_messages_total{bus="sqlite"})`),
    [`sum(rate(rpc_server_duration_seconds_count{rpc_method="place"}[1m]))`, 1, 100_000],
    [`max(job_service_method:rpc_server_duration_seconds:p99_5m{rpc_method="place"})`, 0.0001, 10],
    [`job_service:rpc_server_faults:ratio_rate5m{rpc_service="orders"}`, 0, 0],
    [`job_service:rpc_server_faults:ratio_rate5m{rpc_service="grumbler"}`, 0.5, 1],
    [`job:http_server_faults:ratio_rate5m`, 0.000_01, 0.5],
    [`max(job_route:http_server_request_duration_seconds:p99_5m)`, 0.0001, 10],
    [`sum(rate(banyan_sqlite_commit_duration_seconds_count[1m]))`, 0.1, 100_000],
    [`banyan_sqlite_takes_writes`, 1, 1],
    [`banyan_rabbitmq_takes_messages`, 1, 1],
    [`banyan_rabbitmq_connections`, 2, 2],
    [`banyan_rabbitmq_connects_total`, 2, 2],
    [`banyan_rabbitmq_outbound_used_ratio`, 0, 0],
    [`banyan_mesh_instances{app="banyan", status=~"up|degraded"} > 0`, 1, 1],
    [`banyan_mesh_connections`, 0, 0],
    [`max(banyan_mesh_load_ratio)`, 0.001, 1],
    [`process_memory_usage_bytes`, 20e6, 2e9],
    [`nodejs_eventloop_utilization_ratio`, 0, 1],
    [`job_instance:process_cpu_time_seconds:rate5m`, 0.001, 64],
    [`process_uptime_seconds`, 1, 120],
    [`time() - process_start_time_seconds`, 1, 120],
    [`banyan_node_info{service_name="banyan"}`, 1, 1],
    [`banyan_node_ready`, 1, 1],
    [`banyan_calls_active_limit`, 10_000, 10_000],
    [`min(banyan_subscription_members)`, 1, 1],
    [`v8js_memory_heap_bytes{kind="limit"}`, 100e6, 1e12],
    [`count(banyan_sqlite_file_bytes)`, 2, 2],
    [`banyan_sqlite_disk_free_bytes`, 1, 1e18],
    ...counted(0, `sum(rpc_server_errors_total{error_type="resource_exhausted"})`),
    [`banyan_otlp_spans_total{outcome="sent"}`, 1, 1e9],
    [`banyan_otlp_failing`, 0, 0],
    [`sum(telemetry_callback_failures_total)`, 1, 1e9],
  ];
}

function counted(count: number, expr: string): Plausible[] {
  return [[expr, count, count]];
}
