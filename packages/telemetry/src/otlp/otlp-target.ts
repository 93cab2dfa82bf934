/** Where requests go, from the one endpoint that people write. */

import { otlpErrors } from "./otlp-errors.ts";

/** What is exported. */
export type OtlpSignal = "traces" | "metrics";

export interface OtlpTargets {
  /** Where the request of each signal goes; for gRPC the authority, equal for both. */
  readonly traces: URL;
  readonly metrics: URL;
  readonly isSecure: boolean;
  /** For log lines: without a query, in which some receivers want a key. */
  readonly shown: string;
}

export interface TargetRequest {
  readonly endpoint: string;
  readonly isGrpc: boolean;
  readonly hasTls: boolean;
}

const grpcPort = 4317;
const signalPath = /\/v1\/(?:traces|metrics)$/;

/** @throws TELEMETRY_OTLP_OPTION_INVALID */
export function findTargets({ endpoint, isGrpc, hasTls }: TargetRequest): OtlpTargets {
  const url = URL.parse(isGrpc ? withScheme(endpoint, hasTls) : endpoint);
  if (url === null || url.hostname === "")
    throw invalid("is no URL, such as http://localhost:4318");
  if (url.username !== "" || url.password !== "") {
    throw invalid("holds a user or password; give credentials as a header");
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw invalid(`begins with ${url.protocol}, not with http: or https:`);
  }
  if (url.hash !== "") throw invalid("has a fragment, which no receiver gets");
  const isSecure = url.protocol === "https:";
  if (isGrpc) {
    if (url.pathname !== "/" || url.search !== "") {
      throw invalid("has a path or a query; for gRPC it is a host and a port");
    }
    return { traces: url, metrics: url, isSecure, shown: url.origin };
  }
  const base = url.pathname.replace(/\/+$/, "").replace(signalPath, "");
  const shown = url.origin + base;
  return {
    traces: under(url, base, "traces"),
    metrics: under(url, base, "metrics"),
    isSecure,
    shown,
  };
}

/** The bare `host:port` or `host` that gRPC is often given. */
function withScheme(endpoint: string, hasTls: boolean): string {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(endpoint)) return endpoint;
  const port = /:\d+$/.test(endpoint) ? "" : `:${grpcPort}`;
  return `${hasTls ? "https" : "http"}://${endpoint}${port}`;
}

function under(url: URL, base: string, signal: OtlpSignal): URL {
  const target = new URL(url);
  target.pathname = `${base}/v1/${signal}`;
  return target;
}

/** The endpoint itself is not repeated: it may hold a password by mistake. */
function invalid(reason: string): Error {
  return otlpErrors.TELEMETRY_OTLP_OPTION_INVALID(`The endpoint ${reason}.`);
}
