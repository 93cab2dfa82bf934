/** How long the HTTP surface took to answer, by OpenTelemetry's name. */

import type { Histogram, Metrics } from "@banyan/telemetry";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Told of every answer that was sent whole. */
export type HttpObserver = (request: FastifyRequest, reply: FastifyReply) => void;

const methodsKnown = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

export function createHttpObserver(metrics: Metrics): HttpObserver {
  const durations = metrics.histogram("http_server_request_duration_seconds", {
    help: "How long requests took, from their head to the last byte of the answer.",
    labels: ["http_request_method", "http_route", "http_response_status_code"],
    seriesMax: 10_000,
  });
  // By route, method and status: routes come from contracts, statuses and methods are few.
  const known = new Map<string, Map<string, Histogram>>();
  return ({ method, routeOptions }, reply) => {
    const { statusCode, elapsedTime } = reply;
    // What is not served has no route: its paths are whatever anybody asked for.
    const route = routeOptions.url ?? "";
    let series = known.get(route);
    if (series === undefined) {
      series = new Map();
      known.set(route, series);
    }
    const key = `${methodsKnown.has(method) ? method : "_OTHER"} ${statusCode}`;
    let histogram = series.get(key);
    if (histogram === undefined) {
      histogram = durations.with({
        http_request_method: methodsKnown.has(method) ? method : "_OTHER",
        http_route: route,
        http_response_status_code: statusCode,
      });
      series.set(key, histogram);
    }
    histogram.record(Math.max(0, elapsedTime) / 1e3);
  };
}
