/** How long the HTTP surface took to answer, by OpenTelemetry's name. */

import type { Histogram, Metrics } from "@banyan/telemetry";
import type { FastifyReply, FastifyRequest } from "fastify";

/** Told of every answer of a route that was sent whole; `""`: of what is not served. */
export type HttpObserver = (route: string) => RouteObserver;
type RouteObserver = (request: FastifyRequest, reply: FastifyReply) => void;

const methodsKnown = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]);

/** One for each route, as asking a request for its route makes an object of a dozen fields. */
export function createHttpObserver(metrics: Metrics): HttpObserver {
  const durations = metrics.histogram("http_server_request_duration_seconds", {
    help: "How long requests took, from their head to the last byte of the answer.",
    labels: ["http_request_method", "http_route", "http_response_status_code"],
    seriesMax: 10_000,
  });
  return (route) => {
    // Statuses and methods are few; numbers and the parser's own texts are keys.
    const known = new Map<number, Map<string, Histogram>>();
    const seriesOf = (status: number, method: string): Histogram => {
      const shown = methodsKnown.has(method) ? method : "_OTHER";
      const histogram = durations.with({
        http_request_method: shown,
        http_route: route,
        http_response_status_code: status,
      });
      const byMethod = known.get(status) ?? new Map<string, Histogram>();
      known.set(status, byMethod);
      // What anybody may make up is looked up each time, and kept nowhere.
      if (shown === method) byMethod.set(method, histogram);
      return histogram;
    };
    return ({ method }, reply) => {
      const { statusCode } = reply;
      const histogram = known.get(statusCode)?.get(method) ?? seriesOf(statusCode, method);
      histogram.record(Math.max(0, reply.elapsedTime) / 1e3);
    };
  };
}
