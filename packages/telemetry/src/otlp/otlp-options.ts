/** What can be set about the exporter, with defaults and bounds; nowhere else. */

import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { nearest } from "@banyan/kernel/internal";
import type { Metrics } from "../metrics.ts";
import { otlpErrors } from "./otlp-errors.ts";
import type { OtlpResource } from "./otlp-resource.ts";
import { findTargets } from "./otlp-target.ts";
import type { OtlpTargets } from "./otlp-target.ts";

/** The wires that OTLP knows. */
export const OtlpProtocol = {
  HttpProtobuf: "http/protobuf",
  HttpJson: "http/json",
  Grpc: "grpc",
} as const;
export type OtlpProtocol = (typeof OtlpProtocol)[keyof typeof OtlpProtocol];

/** PEM texts, not paths. */
export interface OtlpTls {
  /** Authorities that the receiver's certificate is held against. Default: Node's own. */
  readonly ca?: string | undefined;
  /** This exporter's own certificate, for a receiver that asks for one; with `key`. */
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
}

export interface OtlpMetricsOptions {
  readonly registry: Metrics;
  /** Time between two readings, 1 … 86 400 000 ms. Default 60 000, as OpenTelemetry's. */
  readonly intervalMs?: number | undefined;
  /** Wall clock: since when the registry counts. Default: the moment the exporter is opened. */
  readonly startedAtMs?: number | undefined;
}

export interface OtlpOptions {
  /**
   * For HTTP the base, such as `http://localhost:4318`: `/v1/traces` and `/v1/metrics` are appended
   * unless the path ends in one of them. For gRPC `http://`, `https://` or nothing before
   * `host:port`; with nothing, it is TLS if `tls` is given.
   */
  readonly endpoint: string;
  readonly protocol: OtlpProtocol;
  /** Sent with every request; the place for credentials. Never logged. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default `none`: a collector mostly stands beside the node. */
  readonly compression?: "gzip" | "none" | undefined;
  /** For one request, from connecting to the answer's end, 1 … 600 000 ms. Default 10 000. */
  readonly timeoutMs?: number | undefined;
  readonly resource: OtlpResource;
  /** Spans held in memory, sent and unsent, 1 … 1 000 000. Default 2048: some 2 MB. */
  readonly queueMax?: number | undefined;
  /** Spans in one request, 1 … 100 000, at most `queueMax`. Default 512. */
  readonly batchMax?: number | undefined;
  /** The longest a span waits for others, 1 … 600 000 ms. Default 1000. */
  readonly intervalMs?: number | undefined;
  /** Default: metrics are not exported. */
  readonly metrics?: OtlpMetricsOptions | undefined;
  readonly tls?: OtlpTls | undefined;
  /** Default: the real clock. */
  readonly clock?: Clock | undefined;
  /** Default: none. */
  readonly log?: Log | undefined;
  /** For the spread of retries. Default: the real source. */
  readonly random?: Random | undefined;
}

/** Complete, checked and frozen. */
export interface ResolvedOtlpOptions {
  readonly targets: OtlpTargets;
  readonly protocol: OtlpProtocol;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly compression: "gzip" | "none";
  readonly timeoutMs: number;
  readonly resource: OtlpResource;
  readonly queueMax: number;
  readonly batchMax: number;
  readonly intervalMs: number;
  readonly metrics: ResolvedOtlpMetricsOptions | undefined;
  readonly tls: OtlpTls;
  readonly clock: Clock;
  readonly log: Log;
  readonly random: Random;
}

export interface ResolvedOtlpMetricsOptions {
  readonly registry: Metrics;
  readonly intervalMs: number;
  readonly startedAtMs: number;
}

/** Every name that is read; the compiler holds them to the interfaces. */
const known = {
  exporter: {
    endpoint: 1,
    protocol: 1,
    headers: 1,
    compression: 1,
    timeoutMs: 1,
    resource: 1,
    queueMax: 1,
    batchMax: 1,
    intervalMs: 1,
    metrics: 1,
    tls: 1,
    clock: 1,
    log: 1,
    random: 1,
  } satisfies Record<keyof OtlpOptions, 1>,
  metrics: { registry: 1, intervalMs: 1, startedAtMs: 1 } satisfies Record<
    keyof OtlpMetricsOptions,
    1
  >,
  tls: { ca: 1, cert: 1, key: 1 } satisfies Record<keyof OtlpTls, 1>,
  resource: {
    serviceName: 1,
    serviceNamespace: 1,
    serviceVersion: 1,
    serviceInstanceId: 1,
    environment: 1,
  } satisfies Record<keyof OtlpResource, 1>,
};

/** @throws TELEMETRY_OTLP_OPTION_INVALID, TELEMETRY_OTLP_TLS_INVALID */
export function resolveOtlpOptions(options: OtlpOptions): ResolvedOtlpOptions {
  assertKnown(options, known.exporter, "The OTLP exporter");
  const { endpoint, protocol, headers = {}, compression = "none", resource, tls } = options;
  const { timeoutMs = 10_000, queueMax = 2048, intervalMs = 1000 } = options;
  const { clock = systemClock, log = silentLog, random = systemRandom } = options;
  assertOneOf("protocol", protocol, Object.values(OtlpProtocol));
  assertOneOf("compression", compression, ["gzip", "none"]);
  assertWithin("timeoutMs", timeoutMs, { min: 1, max: 600_000 });
  assertWithin("queueMax", queueMax, { min: 1, max: 1_000_000 });
  assertWithin("intervalMs", intervalMs, { min: 1, max: 600_000 });
  // A small queue with nothing said of batches is no mistake.
  const { batchMax = Math.min(512, queueMax) } = options;
  assertWithin("batchMax", batchMax, { min: 1, max: Math.min(100_000, queueMax) });
  assertKnown(resource, known.resource, "The resource");
  if (resource.serviceName === "")
    throw invalid("resource.serviceName is empty; name the service.");
  const hasTls = Object.values(tls ?? {}).some((value) => value !== undefined);
  const targets = findTargets({ endpoint, isGrpc: protocol === "grpc", hasTls });
  return Object.freeze({
    targets,
    protocol,
    headers: resolveHeaders(headers),
    compression,
    timeoutMs,
    resource,
    queueMax,
    batchMax,
    intervalMs,
    metrics: resolveMetrics(options.metrics, clock),
    tls: resolveTls(tls, { targets, hasTls }),
    clock,
    log,
    random,
  });
}

function resolveMetrics(
  metrics: OtlpMetricsOptions | undefined,
  clock: Clock,
): ResolvedOtlpMetricsOptions | undefined {
  if (metrics === undefined) return undefined;
  assertKnown(metrics, known.metrics, "The export of metrics");
  const { registry, intervalMs = 60_000, startedAtMs = clock.nowMs() } = metrics;
  assertWithin("metrics.intervalMs", intervalMs, { min: 1, max: 86_400_000 });
  return { registry, intervalMs, startedAtMs };
}

const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const headerValue = /^[\t\x20-\x7e\x80-\xff]*$/;
/** What the wire itself says with headers. */
const headersTaken =
  /^(?:content-(?:type|length|encoding)|transfer-encoding|connection|upgrade|te|expect|grpc-.*)$/;

function resolveHeaders(
  headers: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const entries = Object.entries(headers).map(([name, value]): [string, string] => {
    const lower = name.toLowerCase();
    if (!headerName.test(name)) throw invalid(`"${name}" cannot be the name of a header.`);
    if (headersTaken.test(lower)) throw invalid(`The header ${lower} is the exporter's own.`);
    // The value may be a credential: it is not named.
    if (typeof value !== "string" || !headerValue.test(value)) {
      throw invalid(`The value of the header ${lower} has characters that no header can carry.`);
    }
    return [lower, value];
  });
  return Object.freeze(Object.fromEntries(entries));
}

function resolveTls(
  tls: OtlpTls = {},
  { targets, hasTls }: { readonly targets: OtlpTargets; readonly hasTls: boolean },
): OtlpTls {
  assertKnown(tls, known.tls, "TLS of the OTLP exporter");
  if (!hasTls) return {};
  const { ca, cert, key } = tls;
  if (!targets.isSecure) {
    throw invalid(`tls is set and ${targets.shown} is not https; change one of them.`);
  }
  if ((cert === undefined) !== (key === undefined)) {
    throw invalid("tls.cert and tls.key belong together; one of them is missing.");
  }
  try {
    // OpenSSL passes over an authority that it cannot read, and then trusts nobody.
    if (ca !== undefined) void new X509Certificate(ca);
    createSecureContext({ ca, cert, key });
  } catch (cause) {
    const message = "tls.ca, tls.cert or tls.key is no PEM, or the key is another certificate's.";
    throw otlpErrors.TELEMETRY_OTLP_TLS_INVALID(message, { cause });
  }
  return { ca, cert, key };
}

/** Refuses what nobody reads, naming the nearest known option. */
function assertKnown(options: object, table: object, what: string): void {
  const names = Object.keys(table);
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown === undefined) return;
  const near = nearest(unknown, names);
  const hint = near === undefined ? `known are ${names.join(", ")}` : `did you mean "${near}"?`;
  throw invalid(`${what} has no option "${unknown}"; ${hint}`);
}

function assertOneOf(name: string, value: string, allowed: readonly string[]): void {
  if (allowed.includes(value)) return;
  throw invalid(`${name} is "${value}"; it must be ${allowed.join(", ")}.`);
}

function assertWithin(
  name: string,
  value: number,
  { min, max }: { readonly min: number; readonly max: number },
): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw invalid(`${name} is ${String(value)}; it must be a whole number from ${min} to ${max}.`);
}

function invalid(message: string): Error {
  return otlpErrors.TELEMETRY_OTLP_OPTION_INVALID(message);
}
