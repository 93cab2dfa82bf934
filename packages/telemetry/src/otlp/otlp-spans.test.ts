/** Spans in OTLP; also the samples that other tests send, with what must arrive. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SpanRecord } from "../span.ts";
import { decodeJson, decodeProtobuf } from "./otlp-decoder.test.ts";
import { resourceMessage, sdkVersion } from "./otlp-resource.ts";
import type { OtlpResource } from "./otlp-resource.ts";
import { exportTraceRequest } from "./otlp-schema.ts";
import { traceRequest } from "./otlp-spans.ts";

export const sampleResource: OtlpResource = {
  serviceName: "greeter",
  serviceNamespace: "shop",
  serviceVersion: "1.2.3",
  serviceInstanceId: "node-1",
  environment: "test",
};

export const expectedResource = {
  attributes: [
    { key: "service.name", value: { stringValue: "greeter" } },
    { key: "service.namespace", value: { stringValue: "shop" } },
    { key: "service.version", value: { stringValue: "1.2.3" } },
    { key: "service.instance.id", value: { stringValue: "node-1" } },
    { key: "deployment.environment.name", value: { stringValue: "test" } },
    { key: "telemetry.sdk.name", value: { stringValue: "banyan" } },
    { key: "telemetry.sdk.language", value: { stringValue: "nodejs" } },
    { key: "telemetry.sdk.version", value: { stringValue: sdkVersion } },
  ],
  droppedAttributesCount: 0,
};

/** A span that says little. */
export function sampleSpan(changes: Partial<SpanRecord> = {}): SpanRecord {
  return {
    traceId: "0af7651916cd43dd8448eb211c80319c",
    spanId: "b7ad6b7169203331",
    parentSpanId: undefined,
    isRemote: false,
    service: "greeter",
    name: "greet",
    kind: "internal",
    startMs: 1_735_689_600_000,
    durationMs: 1.5,
    error: undefined,
    attributes: {},
    site: undefined,
    kept: "sampled",
    dropped: 0,
    ...changes,
  };
}

/** One that says all there is, one that failed by its caller, one that is another service's. */
export const sampleSpans: readonly SpanRecord[] = [
  sampleSpan({
    parentSpanId: "00f067aa0ba902b7",
    isRemote: true,
    name: "grüße 👋",
    kind: "server",
    startMs: 1_735_689_600_000.25,
    durationMs: 12.000_001,
    error: {
      kind: "internal",
      code: "INTERNAL",
      message: 'Ein "Fehler"\n',
      isFailure: true,
    },
    attributes: {
      "rpc.method": "greet",
      text: "",
      count: 42,
      negative: -7,
      large: Number.MAX_SAFE_INTEGER,
      ratio: 0.1,
      huge: 1e300,
      unmeasured: Number.NaN,
      yes: true,
      no: false,
    },
    site: { file: "/app/src/greeter.ts", line: 41, column: 7, function: "Greeter.greet" },
    kept: "error",
    dropped: 3,
  }),
  sampleSpan({
    spanId: "00000000000000ff",
    parentSpanId: "b7ad6b7169203331",
    kind: "client",
    error: { kind: "not_found", code: "VISIT_UNKNOWN", message: "No.", isFailure: false },
    site: { file: "/app/src/a.ts", line: 1, column: 2, function: undefined },
  }),
  sampleSpan({ service: "billing", spanId: "0000000000000001", kind: "consumer", kept: "slow" }),
];

const plain = {
  traceState: "",
  droppedAttributesCount: 0,
  events: [],
  droppedEventsCount: 0,
  links: [],
  droppedLinksCount: 0,
};

/** What a receiver decodes of the samples; written by hand. NaN is text on its way to the test. */
export const expectedRequest = {
  resourceSpans: [
    {
      resource: expectedResource,
      schemaUrl: "",
      scopeSpans: [
        {
          scope: {
            name: "banyan.greeter",
            version: sdkVersion,
            attributes: [],
            droppedAttributesCount: 0,
          },
          schemaUrl: "",
          spans: [
            {
              ...plain,
              traceId: "0af7651916cd43dd8448eb211c80319c",
              spanId: "b7ad6b7169203331",
              parentSpanId: "00f067aa0ba902b7",
              name: "grüße 👋",
              kind: 2,
              startTimeUnixNano: "1735689600000250000",
              endTimeUnixNano: "1735689600012250001",
              attributes: [
                { key: "rpc.method", value: { stringValue: "greet" } },
                { key: "text", value: { stringValue: "" } },
                { key: "count", value: { intValue: "42" } },
                { key: "negative", value: { intValue: "-7" } },
                { key: "large", value: { intValue: "9007199254740991" } },
                { key: "ratio", value: { doubleValue: 0.1 } },
                { key: "huge", value: { doubleValue: 1e300 } },
                { key: "unmeasured", value: { doubleValue: "NaN" } },
                { key: "yes", value: { boolValue: true } },
                { key: "no", value: { boolValue: false } },
                { key: "banyan.trace.kept", value: { stringValue: "error" } },
                { key: "error.type", value: { stringValue: "INTERNAL" } },
                { key: "banyan.error.kind", value: { stringValue: "internal" } },
                { key: "code.file.path", value: { stringValue: "/app/src/greeter.ts" } },
                { key: "code.line.number", value: { intValue: "41" } },
                { key: "code.column.number", value: { intValue: "7" } },
                { key: "code.function.name", value: { stringValue: "Greeter.greet" } },
                { key: "banyan.spans.dropped", value: { intValue: "3" } },
              ],
              status: { message: 'Ein "Fehler"\n', code: 2 },
              flags: 0x300,
            },
            {
              ...plain,
              traceId: "0af7651916cd43dd8448eb211c80319c",
              spanId: "00000000000000ff",
              parentSpanId: "b7ad6b7169203331",
              name: "greet",
              kind: 3,
              startTimeUnixNano: "1735689600000000000",
              endTimeUnixNano: "1735689600001500000",
              attributes: [
                { key: "banyan.trace.kept", value: { stringValue: "sampled" } },
                { key: "error.type", value: { stringValue: "VISIT_UNKNOWN" } },
                { key: "banyan.error.kind", value: { stringValue: "not_found" } },
                { key: "code.file.path", value: { stringValue: "/app/src/a.ts" } },
                { key: "code.line.number", value: { intValue: "1" } },
                { key: "code.column.number", value: { intValue: "2" } },
              ],
              status: null,
              flags: 0x101,
            },
          ],
        },
        {
          scope: {
            name: "banyan.billing",
            version: sdkVersion,
            attributes: [],
            droppedAttributesCount: 0,
          },
          schemaUrl: "",
          spans: [
            {
              ...plain,
              traceId: "0af7651916cd43dd8448eb211c80319c",
              spanId: "0000000000000001",
              parentSpanId: "",
              name: "greet",
              kind: 5,
              startTimeUnixNano: "1735689600000000000",
              endTimeUnixNano: "1735689600001500000",
              attributes: [{ key: "banyan.trace.kept", value: { stringValue: "slow" } }],
              status: null,
              flags: 0x100,
            },
          ],
        },
      ],
    },
  ],
};

/** As it looks after its way through JSON, which has no NaN. */
export function asReceived(decoded: unknown): unknown {
  const text = JSON.stringify(decoded, (_, value: unknown) =>
    Number.isNaN(value) ? "NaN" : value,
  );
  return JSON.parse(text);
}

if (import.meta.main) {
  const request = traceRequest(sampleSpans, resourceMessage(sampleResource));

  test("all that a span says is in the Protocol Buffers form", () => {
    const decoded = decodeProtobuf("traces", exportTraceRequest.encode(request));
    assert.deepEqual(asReceived(decoded), expectedRequest);
  });

  test("and in the JSON form", () => {
    const decoded = decodeJson("traces", exportTraceRequest.toJson(request));
    assert.deepEqual(asReceived(decoded), expectedRequest);
  });

  test("what the record itself says wins over an attribute of its name", () => {
    const span = sampleSpan({
      attributes: { "error.type": "500" },
      error: { kind: "unavailable", code: "DESK_CLOSED", message: "Closed.", isFailure: true },
    });
    const [resourceSpans] =
      traceRequest([span], resourceMessage(sampleResource)).resourceSpans ?? [];
    const attributes = resourceSpans?.scopeSpans?.[0]?.spans?.[0]?.attributes ?? [];
    const types = attributes.filter(({ key }) => key === "error.type");
    assert.deepEqual(types, [{ key: "error.type", value: { stringValue: "DESK_CLOSED" } }]);
  });

  test("a span without a service is the platform's, and none ends before it began", () => {
    const span = sampleSpan({ service: "", durationMs: -5 });
    const [resourceSpans] =
      traceRequest([span], resourceMessage(sampleResource)).resourceSpans ?? [];
    const scope = resourceSpans?.scopeSpans?.[0];
    assert.equal(scope?.scope?.name, "banyan");
    assert.equal(scope?.spans?.[0]?.endTimeUnixNano, scope?.spans?.[0]?.startTimeUnixNano);
  });

  test("a resource tells only what is known", () => {
    const { attributes } = resourceMessage({ serviceName: "a", serviceNamespace: "" });
    assert.deepEqual(
      attributes?.map(({ key }) => key),
      ["service.name", "telemetry.sdk.name", "telemetry.sdk.language", "telemetry.sdk.version"],
    );
  });
}
