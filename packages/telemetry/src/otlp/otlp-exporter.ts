/**
 * Sends spans and metrics to a receiver of OTLP: a collector, or whatever speaks as one.
 *
 * What it owns: a queue of spans, a reader of metrics, a sender for each, the connections.
 * What may interrupt it: the receiver, which may be slow, broken or absent at any time.
 *
 * I1. `add` neither throws nor waits, and costs no more than a push.
 * I2. What is held in memory is bounded, and whatever is not delivered is counted.
 * I3. Nothing here keeps the process alive, but a `flush` or `close` that is under way.
 */

import type { SpanRecord, SpanSink } from "../span.ts";
import { DeliveryRecord, secretsOf } from "./delivery-record.ts";
import { BatchSender } from "./batch-sender.ts";
import type { BatchSource } from "./batch-sender.ts";
import { GrpcTransport } from "./grpc-transport.ts";
import { HttpTransport } from "./http-transport.ts";
import type { Fields, MessageShape, ValueOf } from "./message-shape.ts";
import { MetricsReader } from "./metrics-reader.ts";
import { otlpHealth } from "./otlp-health.ts";
import type { DeliveryView, OtlpHealth } from "./otlp-health.ts";
import { metricsRequests } from "./otlp-metrics.ts";
import { resolveOtlpOptions } from "./otlp-options.ts";
import type {
  OtlpOptions,
  ResolvedOtlpMetricsOptions,
  ResolvedOtlpOptions,
} from "./otlp-options.ts";
import { resourceMessage } from "./otlp-resource.ts";
import type { OtlpResourceMessage } from "./otlp-schema.ts";
import { exportMetricsRequest, exportTraceRequest } from "./otlp-schema.ts";
import { traceRequest } from "./otlp-spans.ts";
import type { OtlpSignal } from "./otlp-target.ts";
import { SpanQueue } from "./span-queue.ts";
import type { Transport } from "./transport.ts";

/** How an exporter ends. */
export interface OtlpCloseOptions {
  /** How long what is queued may still be sent. Default 5000 ms. */
  readonly timeoutMs?: number;
}

/** Bytes of one request before compression, as the specification advises both sides. */
const bytesMax = { grpc: 4 * 2 ** 20, http: 20 * 2 ** 20 };

/**
 * Opens an exporter. Nothing is connected before there is something to send.
 *
 * @throws TELEMETRY_OTLP_OPTION_INVALID, TELEMETRY_OTLP_TLS_INVALID
 * @example
 * const { openOtlpExporter } = await import("@banyan/telemetry/otlp");
 * await using exporter = openOtlpExporter({
 *   endpoint: "http://localhost:4318",
 *   protocol: "http/protobuf",
 *   resource: { serviceName: "greeter" },
 * });
 */
export function openOtlpExporter(options: OtlpOptions): OtlpExporter {
  return new OtlpExporter(resolveOtlpOptions(options));
}

/** One signal: where its batches come from, how they go, how that went. */
interface Way<S extends BatchSource> {
  readonly source: S;
  readonly sender: BatchSender;
  readonly record: DeliveryRecord;
}

/** Takes the spans that are kept, and sends them and the metrics; `openOtlpExporter` makes it. */
export class OtlpExporter implements SpanSink, AsyncDisposable {
  readonly #options: ResolvedOtlpOptions;
  readonly #resource: OtlpResourceMessage;
  readonly #transport: Transport;
  readonly #spans: Way<SpanQueue>;
  readonly #metrics: Way<MetricsReader> | undefined;
  #closed: Promise<void> | undefined;

  /** Use `openOtlpExporter`. */
  constructor(options: ResolvedOtlpOptions) {
    const { metrics } = options;
    this.#options = options;
    this.#resource = resourceMessage(options.resource);
    this.#transport = openTransport(options);
    this.#spans = this.#openSpans();
    this.#metrics = metrics === undefined ? undefined : this.#openMetrics(metrics);
  }

  /** Takes spans that are kept (I1). Where there is no room they are dropped and counted. */
  add(spans: readonly SpanRecord[]): void {
    this.#spans.source.add(spans);
  }

  health(): OtlpHealth {
    return otlpHealth(viewOf(this.#spans), this.#metrics && viewOf(this.#metrics));
  }

  /**
   * Sends what waits, and a new reading of the metrics, without waiting for more. Resolves when the
   * receiver took or refused it, or a try failed; what failed stays queued. Never rejects.
   */
  async flush(): Promise<void> {
    if (this.#closed !== undefined) return this.#closed;
    const ways = this.#ways();
    for (const { source } of ways) source.flush();
    await Promise.all(ways.map(({ sender }) => sender.flush()));
  }

  /** Sends what is queued within the time limit, then lets go of everything. Never rejects. */
  close({ timeoutMs = 5000 }: OtlpCloseOptions = {}): Promise<void> {
    this.#closed ??= this.#close(timeoutMs);
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    const deadlineMs = this.#options.clock.monotonicMs() + timeoutMs;
    const ways = this.#ways();
    for (const { source } of ways) source.close();
    await Promise.all(ways.map(({ sender }) => sender.close(deadlineMs)));
    this.#transport.close();
  }

  #ways(): readonly Way<SpanQueue | MetricsReader>[] {
    return this.#metrics === undefined ? [this.#spans] : [this.#spans, this.#metrics];
  }

  #openSpans(): Way<SpanQueue> {
    const { queueMax, batchMax, intervalMs, clock, protocol } = this.#options;
    const sizes = { queueMax, batchMax, intervalMs };
    const max = protocol === "grpc" ? bytesMax.grpc : bytesMax.http;
    const encode = (spans: readonly SpanRecord[]): Uint8Array =>
      this.#encode(exportTraceRequest, traceRequest(spans, this.#resource));
    return this.#openWay(
      "traces",
      (record, onDue) => new SpanQueue({ ...sizes, bytesMax: max, clock, record, encode, onDue }),
    );
  }

  #openMetrics(options: ResolvedOtlpMetricsOptions): Way<MetricsReader> {
    const { registry, intervalMs, startedAtMs } = options;
    const { clock } = this.#options;
    return this.#openWay("metrics", (record, onDue) => {
      const read = () => {
        const timeMs = clock.nowMs();
        // The wall clock may have been set back: nothing counts since later than now.
        const startMs = Math.min(startedAtMs, timeMs);
        return metricsRequests(registry.read(), { resource: this.#resource, startMs, timeMs }).map(
          ({ request, points }) => ({
            points,
            encode: () => this.#encode(exportMetricsRequest, request),
          }),
        );
      };
      const prepare = () => registry.prepared();
      return new MetricsReader({ intervalMs, clock, record, prepare, read, onDue });
    });
  }

  #openWay<S extends BatchSource>(
    signal: OtlpSignal,
    open: (record: DeliveryRecord, onDue: () => void) => S,
  ): Way<S> {
    const { headers, targets, compression, timeoutMs, clock, random } = this.#options;
    const log = this.#options.log.child({ signal });
    const place = { endpoint: targets.shown, secrets: secretsOf(headers) };
    const record = new DeliveryRecord({ ...place, clock, log });
    // Nothing is due before it was opened.
    const source = open(record, () => sender.start());
    const sender = new BatchSender({
      signal,
      source,
      transport: this.#transport,
      record,
      isGzip: compression === "gzip",
      timeoutMs,
      clock,
      random,
    });
    return { source, sender, record };
  }

  #encode<F extends Fields>(shape: MessageShape<F>, value: ValueOf<F>): Uint8Array {
    const isJson = this.#options.protocol === "http/json";
    return isJson ? Buffer.from(shape.toJson(value)) : shape.encode(value);
  }
}

function viewOf({ record, source }: Way<SpanQueue | MetricsReader>): DeliveryView {
  return { counts: record.counts, queued: source.size };
}

function openTransport(options: ResolvedOtlpOptions): Transport {
  const { protocol, targets, headers, compression, tls, timeoutMs, clock } = options;
  const shared = { targets, headers, isGzip: compression === "gzip", tls };
  if (protocol === "grpc") return new GrpcTransport({ ...shared, timeoutMs });
  const format = protocol === "http/json" ? "json" : "protobuf";
  return new HttpTransport({ ...shared, format, clock });
}
