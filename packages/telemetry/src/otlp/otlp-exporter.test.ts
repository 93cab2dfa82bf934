/** The exporter against a receiver of its own process, by all three protocols. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { createSeededRandom } from "@banyan/kernel";
import {
  createRecordingLog,
  FakeClock,
  findFreePorts,
  seedOf,
  until,
  withTimeout,
} from "@banyan/testbed";
import type { RecordingLog } from "@banyan/testbed";
import { createMetrics } from "../metrics.ts";
import type { OtlpExporter } from "./otlp-exporter.ts";
import { openOtlpExporter } from "./otlp-exporter.ts";
import type { OtlpOptions } from "./otlp-options.ts";
import { OtlpProtocol } from "./otlp-options.ts";
import { openReceiver } from "./otlp-receiver.test.ts";
import type { Answer } from "./otlp-receiver.test.ts";
import {
  asReceived,
  expectedRequest,
  sampleResource,
  sampleSpan,
  sampleSpans,
} from "./otlp-spans.test.ts";

const protocols = Object.values(OtlpProtocol);

const shared = await openReceiver();
after(() => shared[Symbol.asyncDispose]());

interface Opened extends AsyncDisposable {
  readonly exporter: OtlpExporter;
  readonly clock: FakeClock;
  readonly log: RecordingLog;
}

type Changes = Partial<OtlpOptions> & Pick<OtlpOptions, "endpoint" | "protocol">;

function open(changes: Changes): Opened {
  const clock = new FakeClock();
  const log = createRecordingLog();
  const random = createSeededRandom(seedOf());
  const exporter = openOtlpExporter({ resource: sampleResource, clock, log, random, ...changes });
  return {
    exporter,
    clock,
    log,
    // Nobody moves the clock any more, so what cannot be sent at once is given up at once.
    [Symbol.asyncDispose]: async () => {
      const closed = exporter.close({ timeoutMs: 0 });
      await clock.advance(0);
      await closed;
    },
  };
}

function untilState(exporter: OtlpExporter, state: "ok" | "failing"): Promise<true> {
  const look = (): true | false => exporter.health().state === state;
  return until(look, { what: `The state ${state}` });
}

/** The way in which this protocol says: come back in that time. */
function comeBack(protocol: OtlpProtocol, afterMs: number): Answer {
  return protocol === "grpc"
    ? { kind: "grpc", code: 14, message: "busy", retryAfterMs: afterMs }
    : {
        kind: "http",
        status: 503,
        message: "busy",
        headers: { "retry-after": `${afterMs / 1e3}` },
      };
}

for (const protocol of protocols) {
  test(`${protocol}: every field of a span arrives`, async () => {
    const receiver = await shared.renew();
    const endpoint = receiver.endpointFor(protocol);
    await using opened = open({ endpoint, protocol, headers: { "X-Tenant": "a b" } });
    const { exporter, clock } = opened;
    exporter.add(sampleSpans);
    await clock.advance(1000);
    const [received] = await receiver.untilReceived(1);
    assert.deepEqual(received?.request, asReceived(expectedRequest));
    assert.equal(received?.protocol, protocol);
    assert.equal(received?.headers["x-tenant"], "a b");
    assert.match(received?.headers["user-agent"] ?? "", /^banyan-otlp\//);
    await untilState(exporter, "ok");
    const { sentSpans, queuedSpans, lastSuccessAtMs } = exporter.health();
    assert.deepEqual([sentSpans, queuedSpans, lastSuccessAtMs], [3, 0, clock.nowMs()]);
  });

  test(`${protocol}: a compressed request says the same in fewer bytes`, async () => {
    const receiver = await shared.renew();
    const endpoint = receiver.endpointFor(protocol);
    await using opened = open({ endpoint, protocol, compression: "gzip" });
    opened.exporter.add(Array.from({ length: 100 }, () => sampleSpan()));
    await opened.clock.advance(1000);
    const [received] = await receiver.untilReceived(1);
    const sent = JSON.stringify(received?.request);
    assert.equal(sent.match(/"spanId":"b7ad6b7169203331"/g)?.length, 100);
    // grpc-js takes it apart before anybody can measure it.
    if (protocol !== "grpc") assert.ok((received?.wireBytes ?? Infinity) < 1500);
    await untilState(opened.exporter, "ok");
  });

  test(`${protocol}: a busy receiver is left alone as long as it asks`, async () => {
    const receiver = await shared.renew();
    await using opened = open({ endpoint: receiver.endpointFor(protocol), protocol });
    const { exporter, clock } = opened;
    await receiver.answer(comeBack(protocol, 20_000));
    exporter.add([sampleSpan()]);
    await clock.advance(1000);
    await untilState(exporter, "failing");
    assert.match(exporter.health().lastError ?? "", /(?:HTTP 503|gRPC UNAVAILABLE): busy/);
    const dueMs = clock.monotonicMs() + 20_000;
    assert.deepEqual(clock.pending, [{ dueMs, keepAlive: false }]);
    await exporter.flush(); // does not push it
    assert.equal((await receiver.untilReceived(1)).length, 1);
    await clock.advanceTo(dueMs);
    await receiver.untilReceived(2);
    await untilState(exporter, "ok");
    assert.equal(exporter.health().sentSpans, 1);
  });

  test(`${protocol}: what a receiver took only in part is counted and told once`, async () => {
    const receiver = await shared.renew();
    await using opened = open({ endpoint: receiver.endpointFor(protocol), protocol });
    const { exporter, log } = opened;
    const partial = { kind: "partial", rejected: 2, message: "too old" } as const;
    await receiver.answer(partial, partial);
    for (const sent of [3, 6]) {
      exporter.add([sampleSpan(), sampleSpan(), sampleSpan(), sampleSpan(), sampleSpan()]);
      await exporter.flush();
      assert.equal(exporter.health().sentSpans, sent);
    }
    assert.equal(exporter.health().rejectedSpans, 4);
    assert.equal(exporter.health().state, "ok");
    assert.deepEqual(log.lines, [
      {
        level: "warn",
        message: "OTLP receiver rejects a part",
        fields: {
          signal: "traces",
          endpoint: receiver.endpointFor(protocol),
          rejected: 2,
          says: "too old",
        },
      },
    ]);
    assert.equal((await receiver.untilReceived(2)).length, 2, "partial success is not tried again");
  });

  test(`${protocol}: what is queued arrives at a receiver that comes later`, async () => {
    const [httpPort = 0, grpcPort = 0] = await findFreePorts(2);
    const port = protocol === "grpc" ? grpcPort : httpPort;
    await using opened = open({ endpoint: `http://localhost:${port}`, protocol });
    const { exporter, clock, log } = opened;
    exporter.add([sampleSpan()]);
    await clock.advance(1000);
    await untilState(exporter, "failing");
    assert.match(exporter.health().lastError ?? "", /ECONNREFUSED/);
    exporter.add([sampleSpan()]);
    await clock.advanceToNext(); // tries again, in vain
    await until(() => clock.pending.length > 0, { what: "The next wait" });
    assert.equal(exporter.health().queuedSpans, 2);
    await using receiver = await openReceiver({ httpPort, grpcPort });
    await until(
      async () => {
        await exporter.flush();
        return exporter.health().queuedSpans === 0;
      },
      { what: "The delivery of what was queued" },
    );
    assert.equal((await receiver.untilReceived(2)).length, 2);
    assert.equal(exporter.health().sentSpans, 2);
    assert.deepEqual(
      log.lines.map(({ level, message }) => `${level} ${message}`),
      ["warn OTLP export fails", "info OTLP export works again"],
    );
  });

  test(`${protocol}: a receiver that hangs costs its time limit, then another try`, async () => {
    const receiver = await shared.renew();
    await using opened = open({ endpoint: receiver.endpointFor(protocol), protocol });
    const { exporter, clock } = opened;
    await receiver.answer({ kind: "hang" });
    exporter.add([sampleSpan()]);
    await clock.advance(1000);
    await receiver.untilReceived(1);
    await clock.advance(9_999);
    assert.equal(exporter.health().state, "idle");
    await clock.advance(1);
    await untilState(exporter, "failing");
    assert.equal(exporter.health().lastError, "No answer came within 10000 ms.");
    await clock.advanceToNext();
    await receiver.untilReceived(2);
    await untilState(exporter, "ok");
    assert.equal(exporter.health().sentSpans, 1);
  });

  test(`${protocol}: a receiver that died in the middle gets it again`, async () => {
    const [httpPort = 0, grpcPort = 0] = await findFreePorts(2);
    const port = protocol === "grpc" ? grpcPort : httpPort;
    await using opened = open({ endpoint: `http://localhost:${port}`, protocol });
    const { exporter } = opened;
    {
      await using receiver = await openReceiver({ httpPort, grpcPort });
      exporter.add([sampleSpan()]);
      await exporter.flush();
      assert.equal(exporter.health().sentSpans, 1);
      await receiver.answer({ kind: "die" });
      exporter.add([sampleSpan()]);
      await exporter.flush();
      assert.equal(exporter.health().state, "failing");
    }
    await using receiver = await openReceiver({ httpPort, grpcPort });
    await exporter.flush();
    await untilState(exporter, "ok");
    assert.equal((await receiver.untilReceived(1)).length, 1);
    assert.equal(exporter.health().sentSpans, 2);
  });

  test(`${protocol}: what a receiver refuses for good is counted and not sent again`, async () => {
    const receiver = await shared.renew();
    await using opened = open({ endpoint: receiver.endpointFor(protocol), protocol });
    const { exporter, clock } = opened;
    await receiver.answer(
      protocol === "grpc"
        ? { kind: "grpc", code: 3, message: "what is 100% of this?" }
        : { kind: "http", status: 400, message: "what is 100% of this?" },
    );
    exporter.add([sampleSpan(), sampleSpan()]);
    await exporter.flush();
    const { failedSpans, queuedSpans, lastError, state } = exporter.health();
    assert.deepEqual([failedSpans, queuedSpans, state], [2, 0, "failing"]);
    assert.match(lastError ?? "", /^(?:HTTP 400|gRPC INVALID_ARGUMENT): what is 100% of this\?$/);
    assert.deepEqual(clock.pending, []);
    exporter.add([sampleSpan()]);
    await exporter.flush();
    assert.equal((await receiver.untilReceived(2)).length, 2);
    assert.equal(exporter.health().sentSpans, 1);
  });

  test(`${protocol}: close sends what is queued and the last metrics, once`, async () => {
    const receiver = await shared.renew();
    const registry = createMetrics();
    registry.counter("jobs_total", { help: "Jobs." });
    const { exporter, clock } = open({
      endpoint: receiver.endpointFor(protocol),
      protocol,
      batchMax: 2,
      metrics: { registry },
    });
    exporter.add([1, 2, 3, 4, 5].map(() => sampleSpan()));
    const closed = exporter.close();
    assert.equal(exporter.close(), closed);
    exporter.add([sampleSpan()]);
    await closed;
    await exporter.close();
    await exporter.flush();
    const received = await receiver.untilReceived(4);
    assert.equal(received.filter(({ signal }) => signal === "traces").length, 3);
    const { sentSpans, droppedSpans, queuedSpans, failedSpans } = exporter.health();
    assert.deepEqual([sentSpans, droppedSpans, queuedSpans, failedSpans], [5, 1, 0, 0]);
    assert.deepEqual(clock.pending, []);
  });

  test(`${protocol}: close ends in its time beside a receiver that hangs`, async () => {
    const receiver = await shared.renew();
    const { exporter, clock, log } = open({ endpoint: receiver.endpointFor(protocol), protocol });
    await receiver.answer({ kind: "hang" });
    exporter.add([sampleSpan(), sampleSpan()]);
    const closed = exporter.close({ timeoutMs: 3000 });
    await receiver.untilReceived(1);
    await clock.advance(3000);
    await withTimeout(closed, { what: "The end of the exporter" });
    const { failedSpans, queuedSpans } = exporter.health();
    assert.deepEqual([failedSpans, queuedSpans], [2, 0]);
    assert.equal(log.lines.at(-1)?.message, "OTLP exporter closed before all was sent");
    assert.deepEqual(clock.pending, []);
  });
}

test("gRPC: an exhausted receiver is tried again only if it says when", async () => {
  const receiver = await shared.renew();
  await using opened = open({ endpoint: receiver.grpc, protocol: "grpc" });
  const { exporter, clock } = opened;
  const exhausted = { kind: "grpc", code: 8, message: "too much" } as const;
  await receiver.answer(exhausted, { ...exhausted, retryAfterMs: 1500 });
  exporter.add([sampleSpan()]);
  await exporter.flush();
  assert.equal(exporter.health().failedSpans, 1);
  exporter.add([sampleSpan()]);
  await exporter.flush();
  assert.equal(exporter.health().failedSpans, 1);
  assert.deepEqual(clock.pending, [{ dueMs: clock.monotonicMs() + 1500, keepAlive: false }]);
  await clock.advance(1500);
  await receiver.untilReceived(3);
  await untilState(exporter, "ok");
});

test("HTTP: the time to come back may be a date", async () => {
  const receiver = await shared.renew();
  await using opened = open({ endpoint: receiver.http, protocol: "http/json" });
  const { exporter, clock } = opened;
  const date = new Date(clock.nowMs() + 7000).toUTCString();
  await receiver.answer({ kind: "http", status: 429, headers: { "retry-after": date } });
  exporter.add([sampleSpan()]);
  await exporter.flush();
  assert.deepEqual(clock.pending, [{ dueMs: 7000, keepAlive: false }]);
  await clock.advance(7000);
  await receiver.untilReceived(2);
  await untilState(exporter, "ok");
});

test("paths are the receiver's own, with a base and a query where there is one", async () => {
  const receiver = await shared.renew();
  const registry = createMetrics();
  registry.counter("jobs_total", { help: "Jobs." });
  const endpoint = `${receiver.http}/otlp/v1/traces?key=1`;
  await using opened = open({ endpoint, protocol: "http/protobuf", metrics: { registry } });
  opened.exporter.add([sampleSpan()]);
  await opened.exporter.flush();
  const received = await receiver.untilReceived(2);
  assert.deepEqual(received.map(({ path }) => path).sort(), [
    "/otlp/v1/metrics?key=1",
    "/otlp/v1/traces?key=1",
  ]);
});

test("credentials are in no log line and no error, whoever repeats them", async () => {
  const receiver = await shared.renew();
  const secret = "c2VjcmV0LXRva2Vu";
  await using opened = open({
    endpoint: receiver.http,
    protocol: "http/protobuf",
    headers: { authorization: `Bearer ${secret}` },
  });
  const { exporter, log } = opened;
  await receiver.answer(
    { kind: "http", status: 401, message: `unknown token ${secret}` },
    { kind: "partial", rejected: 1, message: `${secret} may not do that` },
  );
  for (const _ of [1, 2]) {
    exporter.add([sampleSpan()]);
    await exporter.flush();
  }
  const [first] = await receiver.untilReceived(2);
  assert.equal(first?.headers["authorization"], `Bearer ${secret}`);
  assert.equal(exporter.health().lastError, "HTTP 401: unknown token [secret]");
  assert.equal(log.lines.length, 3);
  assert.doesNotMatch(JSON.stringify([log.lines, exporter.health()]), new RegExp(secret));
});

test("a full queue drops the new ones, counts them, and makes nobody wait", async () => {
  const [port = 0] = await findFreePorts(1);
  const endpoint = `http://localhost:${port}`;
  await using opened = open({ endpoint, protocol: "grpc", queueMax: 10, batchMax: 4 });
  const { exporter, clock } = opened;
  for (let round = 0; round < 5; round += 1) {
    exporter.add([1, 2, 3, 4, 5].map(() => sampleSpan()));
  }
  assert.equal(exporter.health().droppedSpans, 15);
  assert.equal(exporter.health().queuedSpans, 10);
  await untilState(exporter, "failing");
  await until(() => clock.pending.length > 0, { what: "The wait" });
  exporter.add([sampleSpan()]);
  assert.equal(exporter.health().droppedSpans, 16);
  assert.equal(exporter.health().queuedSpans, 10);
});
