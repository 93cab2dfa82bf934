/** The node contract's groups `log`, `traces` and `telemetry`: from what the node holds. */

import type { Client } from "@banyan/kernel";
import type { LevelledLog, LogLevel, SpanRecord } from "@banyan/telemetry";
import type { TraceStore } from "@banyan/telemetry/internal";
import { kernelErrors, nearest } from "@banyan/kernel/internal";
import { hostErrors } from "../errors.ts";
import type { nodeContract } from "../node-contract.ts";
import type { NodeView } from "../node-view.ts";

type NodeClient = Client<typeof nodeContract>;
type Asked<G extends "log" | "traces", K extends keyof NodeClient[G]> = NodeClient[G][K] extends (
  request: infer R,
  ...rest: never[]
) => unknown
  ? R
  : never;
type Levels = Awaited<ReturnType<NodeClient["log"]["levels"]>>;
type TraceList = Awaited<ReturnType<NodeClient["traces"]["list"]>>;
type ShownTrace = Awaited<ReturnType<NodeClient["traces"]["show"]>>;
type Status = Awaited<ReturnType<NodeClient["telemetry"]["status"]>>;

export function logHandlers(node: NodeView) {
  return {
    levels: (): Levels => levelsOf(ownLog(node)),
    set({ service, level }: Asked<"log", "set">): Levels {
      const log = ownLog(node);
      if (service === undefined) {
        if (level === undefined) throw nothingToSet();
        log.level = level;
      } else {
        assertService(node, service);
        log.setServiceLevel(service, level);
      }
      return levelsOf(log);
    },
  };
}

export function traceHandlers(node: NodeView) {
  return {
    list(query: Asked<"traces", "list">): TraceList {
      const store = traceStore(node);
      // An operator who looks is not what is looked for, unless that is asked.
      const except = query.service === "node" || query.name !== undefined ? undefined : "node";
      const traces = store
        .list({ ...query, except })
        .map(({ startMs, errorCode, services, ...row }) => ({
          ...row,
          services: [...services],
          startedAt: new Date(startMs).toISOString(),
          ...(errorCode === undefined ? {} : { error: errorCode }),
        }));
      return { traces, held: store.size };
    },
    show({ traceId }: Asked<"traces", "show">): ShownTrace {
      const store = traceStore(node);
      const id = traceId.toLowerCase();
      const spans = store.get(id);
      const [first] = spans ?? [];
      if (spans === undefined || first === undefined) throw noTrace(store, id);
      const startMs = first.startMs;
      const endMs = Math.max(...spans.map((span) => span.startMs + span.durationMs));
      return {
        traceId: first.traceId,
        startedAt: new Date(startMs).toISOString(),
        durationMs: endMs - startMs,
        kept: spans.find(({ kept }) => kept !== "sampled")?.kept ?? first.kept,
        spans: spans.map((span) => spanRow(span, startMs)),
      };
    },
  };
}

export function telemetryHandlers(node: NodeView) {
  return {
    status(): Status {
      const { serviceName, serviceNamespace, environment, traces } = node.setup.config.telemetry;
      const { metrics, tracer, traces: store } = node.telemetry;
      const counts = tracer?.counts;
      const { enabled, ratio, perSecondMax, slowMs } = traces;
      return {
        serviceName,
        serviceNamespace,
        environment,
        metrics: { enabled: metrics !== undefined },
        traces: {
          enabled,
          ratio,
          perSecondMax,
          slowMs,
          kept: counts?.kept ?? { sampled: 0, error: 0, slow: 0 },
          overBudget: counts?.overBudget ?? 0,
          spansDropped: counts?.spansDropped ?? 0,
          held: store?.size ?? 0,
        },
        ...exporterStatus(node),
      };
    },
  };
}

function exporterStatus(node: NodeView): Pick<Status, "exporter"> {
  const { otlp } = node.setup.config.telemetry;
  const health = node.telemetry.exporter?.health();
  if (otlp === undefined || health === undefined) return {};
  const { lastSuccessAtMs, lastFailureAtMs, lastError, state } = health;
  const { sentSpans, queuedSpans, droppedSpans, failedSpans, rejectedSpans } = health;
  return {
    exporter: {
      endpoint: otlp.endpoint,
      protocol: otlp.protocol,
      state,
      sentSpans,
      queuedSpans,
      droppedSpans,
      failedSpans,
      rejectedSpans,
      ...(lastSuccessAtMs === undefined ? {} : { lastSuccessAt: timeOf(lastSuccessAtMs) }),
      ...(lastFailureAtMs === undefined ? {} : { lastFailureAt: timeOf(lastFailureAtMs) }),
      ...(lastError === undefined ? {} : { lastError }),
    },
  };
}

function timeOf(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

function spanRow(span: SpanRecord, firstMs: number): ShownTrace["spans"][number] {
  const { spanId, parentSpanId, service, name, kind, startMs, durationMs } = span;
  const { error, attributes, site, dropped } = span;
  return {
    spanId,
    service,
    name,
    kind,
    durationMs,
    attributes,
    startMs: startMs - firstMs,
    ...(parentSpanId === undefined ? {} : { parentSpanId }),
    ...(error === undefined ? {} : { error }),
    ...(site === undefined ? {} : { site: siteRow(site) }),
    ...(dropped === 0 ? {} : { dropped }),
  };
}

function siteRow({ file, line, column, function: name }: NonNullable<SpanRecord["site"]>) {
  return { file, line, column, ...(name === undefined ? {} : { function: name }) };
}

function levelsOf(log: LevelledLog): Levels {
  const services = [...log.serviceLevels].map(([service, level]: [string, LogLevel]) => ({
    service,
    level,
  }));
  return { level: log.level, services };
}

/** @throws TELEMETRY_OFF */
function ownLog({ ownLog: own }: NodeView): LevelledLog {
  if (own !== undefined) return own.log;
  throw hostErrors.TELEMETRY_OFF(
    "The program that opened this node handed in a log of its own; its levels are changed there.",
  );
}

/** @throws TELEMETRY_OFF */
function traceStore({ telemetry }: NodeView): TraceStore {
  if (telemetry.traces !== undefined) return telemetry.traces;
  throw hostErrors.TELEMETRY_OFF(
    "This node makes no traces: telemetry.traces.enabled is false in its configuration.",
  );
}

function nothingToSet(): Error {
  const expected = "debug, info, warn, error or silent";
  return kernelErrors.REQUEST_INVALID(`Say which level: ${expected}.`, {
    details: { issues: [{ pointer: "/level", expected }] },
  });
}

/** @throws TRACE_UNKNOWN */
function noTrace(store: TraceStore, id: string): Error {
  const several = store.idsFrom(id);
  if (several.length > 1) {
    return hostErrors.TRACE_UNKNOWN(
      `${several.length} traces begin with ${id}; give more of the id.`,
    );
  }
  return hostErrors.TRACE_UNKNOWN(
    `There is no trace ${id} in memory: it was not kept, or newer ones have pushed it out ` +
      "(telemetry.traces.recentMax). See banyan trace list.",
  );
}

/** @throws LOG_SERVICE_UNKNOWN */
function assertService({ instances }: NodeView, service: string): void {
  const names = instances.map(({ name }) => name);
  if (names.includes(service)) return;
  const meant = nearest(service, names);
  throw hostErrors.LOG_SERVICE_UNKNOWN(
    `This node runs no service "${service}".${meant === undefined ? "" : ` Did you mean "${meant}"?`}`,
  );
}
