/**
 * The section `telemetry` of the node's configuration: what is measured and traced, how much of it
 * is kept, and where it is sent.
 */

import { t } from "@banyan/kernel";
import type { Static } from "@banyan/kernel";

const metricsSchema = t.Object(
  {
    enabled: t.Boolean({
      default: true,
      description: "Whether anything is counted; off, /metrics is 404 and a call pays nothing.",
    }),
    seriesMax: t.Integer({
      default: 1000,
      minimum: 1,
      maximum: 1_000_000,
      description:
        "Label combinations of a metric that names no limit of its own; what comes beyond is counted together.",
    }),
  },
  { default: {}, description: "Metrics, served at /metrics." },
);

const tracesSchema = t.Object(
  {
    enabled: t.Boolean({
      default: true,
      description:
        "Whether spans are made. Off, a trace that comes in is still passed on to whoever is called.",
    }),
    ratio: t.Number({
      default: 1,
      minimum: 0,
      maximum: 1,
      description:
        "Share of new traces that are kept whole; one that comes in is kept if its caller says so.",
    }),
    perSecondMax: t.Integer({
      default: 100,
      minimum: 0,
      maximum: 1_000_000,
      description:
        "New traces kept whole in a second: a laptop sees everything, a node under load pays for few.",
    }),
    slowMs: t.Integer({
      default: 500,
      minimum: 1,
      maximum: 3_600_000,
      description: "A call that takes as long is kept with all it did, drawn or not.",
    }),
    notablePerSecondMax: t.Integer({
      default: 100,
      minimum: 0,
      maximum: 1_000_000,
      description:
        "Traces kept in a second because a call failed or was slow; the rest of a flood is counted only.",
    }),
    remotePerSecondMax: t.Integer({
      default: 1000,
      minimum: 0,
      maximum: 1_000_000,
      description:
        "Traces kept in a second because their caller sampled them: callers decide, up to here.",
    }),
    spansMax: t.Integer({
      default: 1000,
      minimum: 1,
      maximum: 100_000,
      description:
        "Spans of one trace in this node, at most a quarter of recentSpansMax; how many more there were is told with it.",
    }),
    callSites: t.Boolean({
      default: true,
      description:
        "Whether spans of drawn traces name file and line of the code that asked for them; some microseconds each.",
    }),
    recentMax: t.Integer({
      default: 1000,
      minimum: 1,
      maximum: 1_000_000,
      description:
        "Traces held in memory for banyan trace; handlers of events count apart. The oldest go first.",
    }),
    recentSpansMax: t.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 10_000_000,
      description: "Spans held in memory for banyan trace: about 1 KB each.",
    }),
  },
  { default: {}, description: "Traces: banyan trace list." },
);

const otlpSchema = t.Object(
  {
    endpoint: t.String({
      minLength: 1,
      description: "Base URL of the receiver, such as http://localhost:4318. Set: export is on.",
    }),
    protocol: t.Enum(["http/protobuf", "http/json", "grpc"], {
      default: "http/protobuf",
      description: "How it is sent. gRPC receivers listen on 4317 by custom, HTTP on 4318.",
    }),
    headers: t.Record(t.String(), t.String(), {
      default: {},
      writeOnly: true,
      description: "Sent with every request: credentials of the receiver.",
    }),
    compression: t.Enum(["none", "gzip"], {
      default: "none",
      description: "Of what is sent; gzip saves some four fifths and costs processor time.",
    }),
    timeoutMs: t.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 600_000,
      description: "How long one request may take.",
    }),
    intervalMs: t.Integer({
      default: 1000,
      minimum: 10,
      maximum: 600_000,
      description: "How long spans wait for others to be sent with.",
    }),
    queueMax: t.Integer({
      default: 2048,
      minimum: 1,
      maximum: 1_000_000,
      description: "Spans that wait to be sent; more are dropped and counted.",
    }),
    metricsIntervalMs: t.Integer({
      default: 60_000,
      minimum: 0,
      maximum: 86_400_000,
      description: "How often metrics are sent as well; 0: never, they are scraped at /metrics.",
    }),
    caFile: t.Optional(
      t.String({ minLength: 1, description: "Certificate authority of the receiver, PEM." }),
    ),
    certFile: t.Optional(
      t.String({ minLength: 1, description: "Certificate this node shows the receiver, PEM." }),
    ),
    keyFile: t.Optional(t.String({ minLength: 1, description: "Its private key, PEM." })),
  },
  { description: "Export over the OpenTelemetry protocol; its code is loaded when this is set." },
);

export const telemetrySchema = t.Object(
  {
    serviceName: t.String({
      default: "banyan",
      minLength: 1,
      maxLength: 255,
      description: "Name of this node's application in what is exported: service.name.",
    }),
    serviceNamespace: t.String({
      default: "",
      maxLength: 255,
      description: "What groups applications: service.namespace. Empty: left out.",
    }),
    environment: t.String({
      default: "development",
      maxLength: 255,
      description: "Where it runs: deployment.environment.name. Empty: left out.",
    }),
    metrics: metricsSchema,
    traces: tracesSchema,
    otlp: t.Optional(otlpSchema),
  },
  { description: "What the node tells of its work." },
);

export type TelemetryConfig = Static<typeof telemetrySchema>;
export type OtlpConfig = Static<typeof otlpSchema>;
