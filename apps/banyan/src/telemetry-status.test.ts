import assert from "node:assert/strict";
import { test } from "node:test";
import { statusText } from "./telemetry-status.ts";

const nowMs = Date.UTC(2026, 2, 14, 12, 0, 0);
const plain = (_style: unknown, text: string): string => text;
const marked = (style: string, text: string): string => `<${style}>${text}</>`;

const traces = {
  enabled: true,
  ratio: 0.125,
  perSecondMax: 100,
  slowMs: 1500,
  kept: { sampled: 7, error: 2, slow: 1 },
  overBudget: 0,
  spansDropped: 0,
  held: 10,
};
const status = {
  serviceName: "shop",
  serviceNamespace: "acme",
  environment: "production",
  metrics: { enabled: true },
  traces,
};
const exporter = {
  endpoint: "http://localhost:4318",
  protocol: "http/protobuf",
  state: "ok",
  sentSpans: 120,
  queuedSpans: 3,
  droppedSpans: 0,
  failedSpans: 0,
  rejectedSpans: 0,
  lastSuccessAt: new Date(nowMs - 3000).toISOString(),
};

test("what is on is told with its numbers", () => {
  assert.deepEqual(statusText(status, plain, nowMs).split("\n"), [
    "resource  acme/shop in production",
    "metrics   on, at /metrics",
    "traces    on: 12.5 % of new ones, at most 100 a second",
    "          and those that fail or take 1.50 s",
    "kept      7 sampled, 2 failed, 1 slow; 10 in memory",
    "exporter  none; telemetry.otlp.endpoint=http://localhost:4318 sends to a receiver there",
  ]);
});

test("what is off is told with the way to switch it on", () => {
  const off = { ...status, metrics: { enabled: false }, traces: { ...traces, enabled: false } };
  const text = statusText({ ...off, serviceNamespace: "", environment: "" }, marked, nowMs);
  assert.match(text, /resource<\/> +shop$/m);
  assert.match(text, /<warning>off<\/>; telemetry\.metrics\.enabled=true switches them on$/m);
  assert.match(text, /<warning>off<\/>; telemetry\.traces\.enabled=true switches them on$/m);
  assert.doesNotMatch(text, /kept/);
});

test("what was let go or left out is marked, and names the setting", () => {
  const busy = { ...status, traces: { ...traces, overBudget: 4, spansDropped: 9 } };
  const text = statusText(busy, marked, nowMs);
  assert.match(
    text,
    /<warning>4 failed or slow<\/>, beyond telemetry\.traces\.notablePerSecondMax$/m,
  );
  assert.match(text, /<warning>9 spans<\/>, beyond telemetry\.traces\.spansMax$/m);
});

test("an exporter tells its state, what it sent and lost, and when", () => {
  assert.deepEqual(
    statusText({ ...status, exporter }, plain, nowMs)
      .split("\n")
      .slice(5),
    [
      "exporter   ok: http://localhost:4318, http/protobuf",
      "spans      120 sent, 3 waiting",
      "last sent  3 s ago",
    ],
  );
  const failing = {
    ...exporter,
    state: "failing",
    droppedSpans: 5,
    rejectedSpans: 2,
    lastFailureAt: new Date(nowMs - 60_000).toISOString(),
    lastError: "connect\u001b[2J refused",
  };
  const lines = statusText({ ...status, exporter: failing }, marked, nowMs)
    .split("\n")
    .slice(5);
  assert.deepEqual(
    lines.map((line) => line.replace(/^<faint>(.*?)<\/> +/, "$1: ")),
    [
      "exporter: <bad>failing</>: http://localhost:4318, http/protobuf",
      "spans: 120 sent, 3 waiting",
      "lost: <warning>5 no room in the queue, 2 refused by the receiver</>",
      "last sent: 3 s ago",
      "last failed: 60 s ago",
      "last error: <bad>connect\\u001b[2J refused</>",
    ],
  );
});
