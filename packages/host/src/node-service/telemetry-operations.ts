/**
 * What an operator may ask of the telemetry of a node: the node contract's groups `log`, `traces`
 * and `telemetry`.
 */

import { t } from "@banyan/kernel";

const level = t.Enum(["debug", "info", "warn", "error", "silent"]);

const levels = t.Object({
  level,
  services: t.Array(t.Object({ service: t.String(), level }), {
    description: "Services with a level of their own.",
  }),
});

export const logOperations = {
  levels: {
    summary: "Show the levels of the log.",
    idempotent: true,
    response: levels,
  },
  set: {
    summary: "Change a level of the log until the node stops.",
    idempotent: true,
    request: t.Object({
      service: t.Optional(
        t.String({ minLength: 1, description: "Of this service; left out: of all others." }),
      ),
      level: t.Optional(
        t.Enum(["debug", "info", "warn", "error", "silent"], {
          description: "Left out: the service follows the level of all again.",
        }),
      ),
    }),
    response: levels,
  },
} as const;

const kept = t.Enum(["sampled", "error", "slow"], {
  description: "Drawn, or kept because something in it failed or was slow.",
});

const traceRow = t.Object({
  traceId: t.String(),
  name: t.String({ description: "What was called first." }),
  service: t.String(),
  startedAt: t.String({ format: "date-time" }),
  durationMs: t.Number(),
  spans: t.Integer(),
  services: t.Array(t.String()),
  kept,
  error: t.Optional(t.String({ description: "Code of what failed." })),
});

const spanRow = t.Object({
  spanId: t.String(),
  parentSpanId: t.Optional(t.String()),
  service: t.String(),
  name: t.String(),
  kind: t.Enum(["internal", "server", "client", "producer", "consumer"]),
  startMs: t.Number({ description: "Milliseconds since the trace's first span began." }),
  durationMs: t.Number(),
  error: t.Optional(
    t.Object({
      code: t.String(),
      kind: t.String(),
      message: t.String(),
      isFailure: t.Boolean({ description: "The node's doing, not its caller's." }),
    }),
  ),
  attributes: t.Record(t.String(), t.Union([t.String(), t.Number(), t.Boolean()])),
  site: t.Optional(
    t.Object(
      {
        file: t.String(),
        line: t.Integer(),
        column: t.Integer(),
        function: t.Optional(t.String()),
      },
      { description: "Place in the code that asked for it." },
    ),
  ),
  dropped: t.Optional(t.Integer({ description: "Spans below it that there was no room for." })),
});

export const traceOperations = {
  list: {
    summary: "List the traces of late, newest first.",
    idempotent: true,
    request: t.Object({
      service: t.Optional(t.String({ minLength: 1, description: "That went through it." })),
      name: t.Optional(t.String({ minLength: 1, description: "That have a span of this name." })),
      minMs: t.Optional(t.Number({ minimum: 0, description: "That took as long." })),
      failed: t.Optional(t.Boolean({ description: "In which something failed." })),
      slowestFirst: t.Optional(t.Boolean()),
      limit: t.Optional(t.Integer({ minimum: 1, maximum: 1000, description: "Default 20." })),
    }),
    response: t.Object({
      traces: t.Array(traceRow),
      held: t.Integer({ description: "Traces in memory." }),
    }),
  },
  show: {
    summary: "Show the spans of a trace, by its id or an unambiguous beginning of it.",
    idempotent: true,
    request: t.Object({ traceId: t.String({ minLength: 4, maxLength: 32 }) }),
    response: t.Object({
      traceId: t.String(),
      startedAt: t.String({ format: "date-time" }),
      durationMs: t.Number(),
      kept,
      spans: t.Array(spanRow, { description: "In the order of their start." }),
    }),
  },
} as const;

export const telemetryOperations = {
  status: {
    summary: "Show what is measured and traced, and how the exporter does.",
    idempotent: true,
    response: t.Object({
      serviceName: t.String(),
      serviceNamespace: t.String(),
      environment: t.String(),
      metrics: t.Object({ enabled: t.Boolean() }),
      traces: t.Object({
        enabled: t.Boolean(),
        ratio: t.Number(),
        perSecondMax: t.Integer(),
        slowMs: t.Integer(),
        kept: t.Object({
          sampled: t.Integer(),
          error: t.Integer(),
          slow: t.Integer(),
        }),
        overBudget: t.Integer({
          description: "Failed or slow ones for which the second's budget was used up.",
        }),
        spansDropped: t.Integer({ description: "Spans for which their trace had no room." }),
        held: t.Integer({ description: "Traces in memory." }),
      }),
      exporter: t.Optional(
        t.Object({
          endpoint: t.String(),
          protocol: t.String(),
          state: t.Enum(["idle", "ok", "failing"]),
          sentSpans: t.Integer(),
          queuedSpans: t.Integer(),
          droppedSpans: t.Integer({ description: "There was no room in the queue." }),
          failedSpans: t.Integer({ description: "Given up after the last try." }),
          rejectedSpans: t.Integer({ description: "Refused by the receiver." }),
          lastSuccessAt: t.Optional(t.String({ format: "date-time" })),
          lastFailureAt: t.Optional(t.String({ format: "date-time" })),
          lastError: t.Optional(t.String()),
        }),
      ),
    }),
  },
} as const;
