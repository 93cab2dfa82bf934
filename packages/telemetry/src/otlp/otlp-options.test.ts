import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { readFileSync } from "node:fs";
import { FakeClock } from "@banyan/testbed";
import { createMetrics } from "../metrics.ts";
import { resolveOtlpOptions } from "./otlp-options.ts";
import type { OtlpOptions, ResolvedOtlpOptions } from "./otlp-options.ts";
import { sdkVersion } from "./otlp-resource.ts";

function resolve(changes: Partial<OtlpOptions> = {}): ResolvedOtlpOptions {
  return resolveOtlpOptions({
    endpoint: "http://localhost:4318",
    protocol: "http/protobuf",
    resource: { serviceName: "greeter" },
    ...changes,
  });
}

function targetsOf(
  endpoint: string,
  protocol: OtlpOptions["protocol"] = "http/protobuf",
): string[] {
  const { targets } = resolve({ endpoint, protocol });
  return [targets.traces.href, targets.metrics.href, targets.shown];
}

test("defaults are those of OpenTelemetry", () => {
  const { timeoutMs, queueMax, batchMax, intervalMs, compression, metrics, tls } = resolve();
  assert.deepEqual([timeoutMs, queueMax, batchMax, intervalMs], [10_000, 2048, 512, 1000]);
  assert.deepEqual([compression, metrics, tls], ["none", undefined, {}]);
  const clock = new FakeClock();
  const registry = createMetrics();
  assert.deepEqual(resolve({ clock, metrics: { registry } }).metrics, {
    registry,
    intervalMs: 60_000,
    startedAtMs: clock.nowMs(),
  });
});

test("paths are appended unless the endpoint ends in one", () => {
  const local = ["http://localhost:4318/v1/traces", "http://localhost:4318/v1/metrics"];
  const shown = "http://localhost:4318";
  for (const end of ["", "/", "/v1/traces", "/v1/metrics", "/v1/traces/"]) {
    assert.deepEqual(targetsOf(`http://localhost:4318${end}`), [...local, shown]);
  }
  assert.deepEqual(targetsOf("https://example.com/otlp/?key=1"), [
    "https://example.com/otlp/v1/traces?key=1",
    "https://example.com/otlp/v1/metrics?key=1",
    "https://example.com/otlp",
  ]);
});

test("for gRPC the endpoint is an authority, with or without a scheme", () => {
  const [first] = targetsOf("localhost:4317", "grpc");
  assert.equal(first, "http://localhost:4317/");
  assert.equal(targetsOf("collector", "grpc")[0], "http://collector:4317/");
  assert.equal(targetsOf("https://collector:443", "grpc")[0], "https://collector/");
  assert.equal(targetsOf("[::1]:4317", "grpc")[0], "http://[::1]:4317/");
});

const refusals: readonly (readonly [what: string, changes: object, message: RegExp])[] = [
  ["an unknown option", { endpont: "x" }, /no option "endpont"; did you mean "endpoint"\?/],
  ["an unknown metrics option", { metrics: { registri: 1 } }, /did you mean "registry"\?/],
  ["an unknown field of the resource", { resource: { serviceNam: "" } }, /"serviceName"\?/],
  ["a service without a name", { resource: { serviceName: "" } }, /serviceName is empty/],
  ["no URL", { endpoint: "collector" }, /is no URL/],
  ["another scheme", { endpoint: "ftp://collector" }, /begins with ftp:/],
  ["a password in the URL", { endpoint: "http://me:hunter2@collector" }, /user or password/],
  ["a fragment", { endpoint: "http://collector#a" }, /fragment/],
  ["a path for gRPC", { endpoint: "http://collector/v1", protocol: "grpc" }, /path or a query/],
  ["an unknown protocol", { protocol: "http" }, /protocol is "http"; it must be http\/protobuf/],
  ["an unknown compression", { compression: "br" }, /compression is "br"/],
  ["no time at all", { timeoutMs: 0 }, /timeoutMs is 0; it must be a whole number from 1 to/],
  ["half a span", { queueMax: 0.5 }, /queueMax is 0.5/],
  ["a batch beyond the queue", { queueMax: 10, batchMax: 11 }, /batchMax is 11.*from 1 to 10/],
  ["an interval of never", { intervalMs: Infinity }, /intervalMs is Infinity/],
  [
    "metrics too often",
    { metrics: { registry: createMetrics(), intervalMs: 0.5 } },
    /metrics.intervalMs is 0.5/,
  ],
  ["a header that is no name", { headers: { "a b": "x" } }, /"a b" cannot be the name/],
  ["a header of the wire", { headers: { TE: "x" } }, /header te is the exporter's own/],
  ["a header of gRPC", { headers: { "grpc-timeout": "1S" } }, /grpc-timeout is the exporter's/],
  [
    "a header that ends itself",
    { headers: { "x-key": "hunter2\r\n" } },
    /value of the header x-key/,
  ],
  ["TLS without https", { tls: { ca: "x" } }, /is not https/],
];

test("what cannot be is refused, by name and without a secret", () => {
  for (const [what, changes, message] of refusals) {
    assert.throws(
      () => resolve(changes),
      (error: unknown) => {
        assert(isBanyanError(error, "TELEMETRY_OTLP_OPTION_INVALID"), what);
        assert.match(error.message, message, what);
        assert.doesNotMatch(error.message, /hunter2/, what);
        return true;
      },
      what,
    );
  }
});

test("certificates are read when the exporter is opened, not at the first request", () => {
  const endpoint = "https://collector";
  const pem = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  for (const tls of [{ ca: "collector.pem" }, { ca: pem }, { cert: pem, key: pem }]) {
    assert.throws(() => resolve({ endpoint, tls }), { code: "TELEMETRY_OTLP_TLS_INVALID" });
  }
  assert.throws(() => resolve({ endpoint, tls: { cert: pem } }), /belong together/);
  // A configuration that says nothing may still be handed on as an object.
  assert.deepEqual(resolve({ tls: { ca: undefined } }).tls, {});
});

test("a small queue needs no word about batches", () => {
  assert.equal(resolve({ queueMax: 10 }).batchMax, 10);
});

test("the version that is told is the package's", () => {
  const manifest: unknown = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  assert(typeof manifest === "object" && manifest !== null && "version" in manifest);
  assert.equal(sdkVersion, manifest.version);
});
