/** The pieces of PromQL that rules and dashboards share, so that a fault is the same everywhere. */

import { errorKinds } from "@banyan/kernel";

/** What the rules watch. Some names (`process_*`, `http_server_*`) belong to other programs too. */
export const job = `job="banyan"`;

/** What a dashboard shows: its variables. */
export const node = `job=~"$job", instance=~"$instance"`;

/** A share of calls that may end in a fault: 99.9 % are to succeed. */
export const errorBudget = 0.001;

/**
 * Kinds of error that are the node's doing, as traces tell failures: what HTTP answers with 5xx,
 * and what a limit refused. A caller's mistake is none.
 */
export const faultKinds: readonly string[] = Object.entries(errorKinds)
  .filter(([kind, { http }]) => http >= 500 || kind === "resource_exhausted")
  .map(([kind]) => kind)
  .sort();

export const faults = `error_type=~"${faultKinds.join("|")}"`;

/** The node's own pages and operations, and what nobody serves: no traffic of its services. */
export const servedRoutes = `http_route!~"|/|/docs|/healthz|/metrics|/node/.*|/openapi[.]json|/readyz"`;

/** One of `q` over a histogram; `by` are the labels that stay. */
export function quantile(
  q: number,
  histogram: string,
  { where, by, over }: { where: string; by: readonly string[]; over: string },
): string {
  const labels = [...by, "le"].join(", ");
  return `histogram_quantile(${q}, sum by (${labels}) (rate(${histogram}_bucket{${where}}[${over}])))`;
}

/** Grafana's range for rates: four scrapes at least, and as wide as a pixel. */
export const over = "$__rate_interval";

/** The sum of a counter's rates; `by` are the labels that stay. */
export function perSecond(counter: string, where: string, by: readonly string[]): string {
  const rate = `rate(${counter}{${where}}[${over}])`;
  return by.length === 0 ? `sum(${rate})` : `sum by (${by.join(", ")}) (${rate})`;
}
