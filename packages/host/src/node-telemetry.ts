/**
 * What watches a node: its metrics, its tracer, the traces of late, and the exporter where one is
 * configured. What configuration switches off is `undefined`, and nothing is paid for it.
 *
 * What it owns: the exporter; it sends what it still has when the node is closed, within a bound.
 * What may interrupt it: nothing that is exported can fail a call.
 */

import { readFile } from "node:fs/promises";
import { createIdSource } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import type { CallObserver } from "@banyan/kernel/internal";
import { createMetrics } from "@banyan/telemetry";
import type { Metrics, SpanSink } from "@banyan/telemetry";
import {
  createCallObserver,
  registerProcessMetrics,
  Tracer,
  TraceStore,
} from "@banyan/telemetry/internal";
import type { Instruments } from "@banyan/telemetry/internal";
import type { OtlpExporter } from "@banyan/telemetry/otlp";
import { hostErrors } from "./errors.ts";
import { registerTracerMetrics } from "./telemetry-metrics.ts";
import type { OtlpConfig, TelemetryConfig } from "./telemetry-config.ts";

export interface NodeTelemetry extends Instruments {
  readonly metrics: Metrics | undefined;
  readonly tracer: Tracer | undefined;
  readonly traces: TraceStore | undefined;
  /** Set once it is open. */
  readonly exporter: OtlpExporter | undefined;
  /** Of calls; `undefined` where nothing is watched. */
  callObserver(inFlight: () => number): CallObserver | undefined;
}

/** Spans that running calls remember together, some hundred bytes each. */
const notedMax = 50_000;

export interface NodeTelemetryOptions {
  readonly config: TelemetryConfig;
  readonly node: { readonly id: string; readonly version: string };
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export class RunningTelemetry implements NodeTelemetry {
  readonly clock: Clock;
  readonly metrics: Metrics | undefined;
  readonly tracer: Tracer | undefined;
  readonly traces: TraceStore | undefined;
  readonly #options: NodeTelemetryOptions;
  readonly #sinks: SpanSink[] = [];
  #exporter: OtlpExporter | undefined = undefined;

  constructor(options: NodeTelemetryOptions) {
    const { config, clock, random, log } = options;
    const { metrics, traces } = config;
    this.#options = options;
    this.clock = clock;
    const { seriesMax } = metrics;
    const onOverflow = (metric: string): void =>
      log.warn("a metric has no room for more labels; the rest is counted together", { metric });
    this.metrics = metrics.enabled ? createMetrics({ seriesMax, onOverflow }) : undefined;
    if (!traces.enabled) return;
    this.traces = new TraceStore({
      partsMax: traces.recentMax,
      spansMax: traces.recentSpansMax,
    });
    this.tracer = new Tracer({
      clock,
      random,
      recent: this.traces,
      sinks: this.#sinks,
      ratio: traces.ratio,
      perSecondMax: traces.perSecondMax,
      slowMs: traces.slowMs,
      failuresPerSecondMax: traces.notablePerSecondMax,
      remotePerSecondMax: traces.remotePerSecondMax,
      // One trace must not push all others out.
      spansMax: Math.min(traces.spansMax, Math.ceil(traces.recentSpansMax / 4)),
      notedMax,
      callSites: traces.callSites,
    });
  }

  get exporter(): OtlpExporter | undefined {
    return this.#exporter;
  }

  callObserver(inFlight: () => number): CallObserver | undefined {
    const { metrics, tracer } = this;
    if (metrics === undefined && tracer === undefined) return undefined;
    return createCallObserver(metrics, { inFlight, tracer });
  }

  /** Starts what runs beside the node: samplers, the exporter. @throws NODE_START_FAILED */
  async open(disposables: AsyncDisposableStack, closeTimeoutMs: number): Promise<void> {
    const { metrics, tracer, traces } = this;
    const { otlp } = this.#options.config;
    if (metrics !== undefined) {
      disposables.defer(registerProcessMetrics(metrics));
      if (tracer !== undefined && traces !== undefined) {
        registerTracerMetrics(metrics, { tracer, traces, exporter: () => this.#exporter });
      }
    }
    if (otlp === undefined) return;
    const exporter = await this.#openExporter(otlp);
    this.#exporter = exporter;
    if (tracer !== undefined) this.#sinks.push(exporter);
    disposables.defer(() => exporter.close({ timeoutMs: closeTimeoutMs }));
  }

  async #openExporter(otlp: OtlpConfig): Promise<OtlpExporter> {
    const { config, node, clock, random, log } = this.#options;
    const { endpoint, protocol, headers, compression, timeoutMs, intervalMs, queueMax } = otlp;
    const { metricsIntervalMs } = otlp;
    // Loaded where it is asked for: a node that exports nothing pays nothing.
    const { openOtlpExporter } = await import("@banyan/telemetry/otlp");
    const tls = await readTls(otlp);
    return openOtlpExporter({
      endpoint,
      protocol,
      headers,
      compression,
      timeoutMs,
      intervalMs,
      queueMax,
      resource: {
        serviceName: config.serviceName,
        serviceNamespace: config.serviceNamespace,
        serviceVersion: node.version,
        serviceInstanceId: node.id,
        environment: config.environment,
      },
      ...(this.metrics === undefined || metricsIntervalMs === 0
        ? {}
        : { metrics: { registry: this.metrics, intervalMs: metricsIntervalMs } }),
      ...(tls === undefined ? {} : { tls }),
      clock,
      random,
      log: log.child({ exporter: "otlp" }),
    });
  }
}

/** Names a node before anything of it is open. */
export function nodeIdOf(id: string | undefined, clock: Clock, random: Random): string {
  return id ?? createIdSource(clock, random).uuid();
}

async function readTls({
  caFile,
  certFile,
  keyFile,
}: OtlpConfig): Promise<Partial<Record<"ca" | "cert" | "key", string>> | undefined> {
  const files = { ca: caFile, cert: certFile, key: keyFile };
  const read = await Promise.all(
    Object.entries(files).flatMap(([name, file]) =>
      file === undefined ? [] : [readPem(name, file)],
    ),
  );
  return read.length === 0 ? undefined : Object.fromEntries(read);
}

async function readPem(name: string, file: string): Promise<readonly [string, string]> {
  try {
    return [name, await readFile(file, "utf8")];
  } catch (cause) {
    throw hostErrors.NODE_START_FAILED(
      `telemetry.otlp.${name}File ${file} cannot be read: ` +
        `${cause instanceof Error ? cause.message : String(cause)}`,
      { cause },
    );
  }
}
