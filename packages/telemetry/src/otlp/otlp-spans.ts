/** Spans as they are kept, said in OTLP. Attributes have OpenTelemetry's names where it has one. */

import type { SpanKind } from "@banyan/kernel/internal";
import type { SpanRecord } from "../span.ts";
import { attributesOf, scopeRoot, sdkVersion } from "./otlp-resource.ts";
import type { OtlpResourceMessage, OtlpSpan, OtlpTraceRequest } from "./otlp-schema.ts";
import { nanosOf } from "./unix-nano.ts";

const kinds: Readonly<Record<SpanKind, number>> = {
  internal: 1,
  server: 2,
  client: 3,
  producer: 4,
  consumer: 5,
};

/** The flags of the trace, and whether its parent is another process's, which is always known. */
const flag = { sampled: 1, remoteIsKnown: 0x100, isRemote: 0x200 } as const;

const statusError = 2;

/** One request for spans of any services: a scope for each, in the order they come. */
export function traceRequest(
  spans: readonly SpanRecord[],
  resource: OtlpResourceMessage,
): OtlpTraceRequest {
  const scopes = [...Map.groupBy(spans, ({ service }) => service)].map(([service, own]) => ({
    scope: {
      name: service === "" ? scopeRoot : `${scopeRoot}.${service}`,
      version: sdkVersion,
    },
    spans: own.map(otlpSpan),
  }));
  return { resourceSpans: [{ resource, scopeSpans: scopes }] };
}

function otlpSpan(record: SpanRecord): OtlpSpan {
  const startTimeUnixNano = nanosOf(record.startMs);
  const { error } = record;
  return {
    traceId: record.traceId,
    spanId: record.spanId,
    parentSpanId: record.parentSpanId,
    name: record.name,
    kind: kinds[record.kind],
    startTimeUnixNano,
    // From the start, not from the sum of two floats: the difference is the duration to the digit.
    endTimeUnixNano: startTimeUnixNano + nanosOf(record.durationMs),
    attributes: attributesOf(attributeValues(record)),
    status: error?.isFailure === true ? { code: statusError, message: error.message } : undefined,
    flags:
      flag.remoteIsKnown |
      (record.isRemote ? flag.isRemote : 0) |
      (record.kept === "sampled" ? flag.sampled : 0),
  };
}

/** What the record says beside OTLP's own fields; it wins over an attribute of the same name. */
function attributeValues(record: SpanRecord): Readonly<Record<string, unknown>> {
  const { attributes, error, site, kept, dropped } = record;
  return {
    ...attributes,
    "banyan.trace.kept": kept,
    ...(error === undefined ? {} : { "error.type": error.code, "banyan.error.kind": error.kind }),
    ...(site === undefined
      ? {}
      : {
          "code.file.path": site.file,
          "code.line.number": site.line,
          "code.column.number": site.column,
          "code.function.name": site.function,
        }),
    ...(dropped === 0 ? {} : { "banyan.spans.dropped": dropped }),
  };
}
