/** Both encodings against protobufjs, with values that nobody would think of. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { decodeJson, decodeProtobuf } from "./otlp-decoder.test.ts";
import { exportMetricsRequest, exportTraceRequest } from "./otlp-schema.ts";
import type { OtlpMetricsRequest, OtlpTraceRequest } from "./otlp-schema.ts";

/** Any text, half surrogate pairs too. */
const text = fc.string({ unit: fc.oneof(fc.string({ unit: "binary" }), fc.constant("\ud800")) });
const hex = (digits: number): fc.Arbitrary<string> =>
  fc.string({
    unit: fc.constantFrom(...Array.from("0123456789abcdef")),
    minLength: digits,
    maxLength: digits,
  });
const nanos = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const double = fc.double();
const attribute = fc.record({
  key: text,
  value: fc.oneof(
    fc.record({ stringValue: text }),
    fc.record({ boolValue: fc.boolean() }),
    fc.record({ intValue: fc.maxSafeInteger() }),
    fc.record({ doubleValue: double }),
  ),
});
const attributes = fc.array(attribute, { maxLength: 4 });
const few = { maxLength: 3 };

const span = fc.record(
  {
    traceId: hex(32),
    spanId: hex(16),
    parentSpanId: fc.oneof(hex(16), fc.constant("")),
    name: text,
    kind: fc.nat(5),
    startTimeUnixNano: nanos,
    endTimeUnixNano: nanos,
    attributes,
    status: fc.record({ code: fc.nat(2), message: text }),
    flags: fc.nat(2 ** 31 - 1).map((value) => value * 2 + 1),
  },
  { requiredKeys: [] },
);
const scope = fc.record({ name: text, version: text });
const resource = fc.record({ attributes });

const traces: fc.Arbitrary<OtlpTraceRequest> = fc.record({
  resourceSpans: fc.array(
    fc.record({
      resource,
      scopeSpans: fc.array(fc.record({ scope, spans: fc.array(span, few) }), few),
    }),
    few,
  ),
});

const numberPoint = fc.record({
  startTimeUnixNano: nanos,
  timeUnixNano: nanos,
  asDouble: double,
  attributes,
});
const exemplar = fc.record({
  timeUnixNano: nanos,
  asDouble: double,
  spanId: hex(16),
  traceId: hex(32),
});
const histogramPoint = fc.record({
  startTimeUnixNano: nanos,
  timeUnixNano: nanos,
  count: nanos,
  sum: double,
  bucketCounts: fc.array(nanos, few),
  explicitBounds: fc.array(double, few),
  exemplars: fc.array(exemplar, few),
  attributes,
});
const head = { name: text, description: text, unit: text };
const metric = fc.oneof(
  fc.record({ ...head, gauge: fc.record({ dataPoints: fc.array(numberPoint, few) }) }),
  fc.record({
    ...head,
    sum: fc.record({
      dataPoints: fc.array(numberPoint, few),
      aggregationTemporality: fc.nat(2),
      isMonotonic: fc.boolean(),
    }),
  }),
  fc.record({
    ...head,
    histogram: fc.record({
      dataPoints: fc.array(histogramPoint, few),
      aggregationTemporality: fc.nat(2),
    }),
  }),
);
const metrics: fc.Arbitrary<OtlpMetricsRequest> = fc.record({
  resourceMetrics: fc.array(
    fc.record({
      resource,
      scopeMetrics: fc.array(fc.record({ scope, metrics: fc.array(metric, few) }), few),
    }),
    few,
  ),
});

/** The value as it was given, in the decoder's words; what it does not name is a default. */
function assertCarries(given: unknown, decoded: unknown, path: string): void {
  if (Array.isArray(given)) {
    assert(Array.isArray(decoded) && decoded.length === given.length, path);
    for (const [index, each] of given.entries()) {
      assertCarries(each, decoded[index], `${path}[${index}]`);
    }
  } else if (typeof given === "object" && given !== null) {
    assert(typeof decoded === "object" && decoded !== null, path);
    const fields = new Map(Object.entries(decoded));
    for (const [key, each] of Object.entries(given)) {
      if (key === "intValue") assert.equal(fields.get(key), String(each), path);
      else assertCarries(each, fields.get(key), `${path}.${key}`);
    }
  } else if (typeof given === "bigint") assert.equal(decoded, String(given), path);
  else if (typeof given === "string") assert.equal(decoded, given.toWellFormed(), path);
  else assert.ok(Object.is(decoded, given), `${path}: ${String(given)} is ${String(decoded)}`);
}

test("spans of any values are decoded by protobufjs as they were given, by both wires", () => {
  fc.assert(
    fc.property(traces, (request) => {
      const decoded = decodeProtobuf("traces", exportTraceRequest.encode(request));
      assertCarries(request, decoded, "traces");
      assert.deepEqual(decodeJson("traces", exportTraceRequest.toJson(request)), decoded);
    }),
    { seed: seedOf(), numRuns: 500 },
  );
});

test("metrics of any values are decoded by protobufjs as they were given, by both wires", () => {
  fc.assert(
    fc.property(metrics, (request) => {
      const decoded = decodeProtobuf("metrics", exportMetricsRequest.encode(request));
      assertCarries(request, decoded, "metrics");
      assert.deepEqual(decodeJson("metrics", exportMetricsRequest.toJson(request)), decoded);
    }),
    { seed: seedOf(), numRuns: 500 },
  );
});

test("a message larger than the writer's first buffer keeps its order", () => {
  const name = "x".repeat(1000);
  const spans = Array.from({ length: 100 }, (_, index) => ({ name: `${index} ${name}` }));
  const request = { resourceSpans: [{ scopeSpans: [{ spans }] }] };
  assertCarries(request, decodeProtobuf("traces", exportTraceRequest.encode(request)), "traces");
});

test("nothing that was not given is written", () => {
  assert.equal(exportTraceRequest.encode({}).length, 0);
  assert.equal(exportTraceRequest.toJson({ resourceSpans: [] }), "{}");
  const bare = { name: "", kind: 0, flags: 0, attributes: [], parentSpanId: undefined };
  const request = { resourceSpans: [{ scopeSpans: [{ spans: [bare] }] }] };
  assert.equal(exportTraceRequest.encode(request).toString("hex"), "0a0412021200");
  assert.equal(
    exportTraceRequest.toJson(request),
    '{"resourceSpans":[{"scopeSpans":[{"spans":[{}]}]}]}',
  );
});

test("digits that are none do not bring out what was in the buffer before", () => {
  const encoded = exportTraceRequest.encode({
    resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: "zz".repeat(16) }] }] }],
  });
  assert.equal(encoded.subarray(-16).toString("hex"), "0".repeat(32));
});
