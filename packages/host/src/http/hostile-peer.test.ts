/** Clients that do not behave: on bare sockets, because no decent client can be made to. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { FakeClock, RawHttp, withTimeout } from "@banyan/testbed";
import { eventually, openSample, post, request } from "../sample-node.test.ts";
import type { SampleNode } from "../sample-node.test.ts";

const json = "Content-Type: application/json";

async function assertReady({ url }: SampleNode): Promise<void> {
  const ready = await request(url, "/readyz");
  assert.equal(ready.status, 200, ready.text);
}

function problem(text: string): Record<string, unknown> {
  // Problem details are an object by their definition.
  return JSON.parse(text) as Record<string, unknown>;
}

describe("What is no HTTP", () => {
  const broken: [title: string, bytes: string, status: number, code: string][] = [
    ["garbage", "garbage\r\n\r\n", 400, "HTTP_REQUEST_MALFORMED"],
    ["a TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, "HTTP_REQUEST_MALFORMED"],
    [
      "both lengths, a smuggler's way",
      `POST /sample/ping HTTP/1.1\r\nHost: localhost\r\n${json}\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
      "HTTP_REQUEST_MALFORMED",
    ],
    [
      "two different lengths",
      `POST /sample/ping HTTP/1.1\r\nHost: localhost\r\n${json}\r\nContent-Length: 2\r\nContent-Length: 4\r\n\r\n{}{}`,
      400,
      "HTTP_REQUEST_MALFORMED",
    ],
    [
      "an encoding after chunked",
      `POST /sample/ping HTTP/1.1\r\nHost: localhost\r\n${json}\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      400,
      "HTTP_REQUEST_MALFORMED",
    ],
    [
      "a space before the colon",
      "POST /sample/ping HTTP/1.1\r\nHost: localhost\r\nContent-Length : 2\r\n\r\n{}",
      400,
      "HTTP_REQUEST_MALFORMED",
    ],
    [
      "a head that is too large",
      `GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
      431,
      "HTTP_HEADERS_TOO_LARGE",
    ],
    [
      "a very long URL",
      `GET /${"x".repeat(20_000)} HTTP/1.1\r\n\r\n`,
      431,
      "HTTP_HEADERS_TOO_LARGE",
    ],
    ["no Host", "GET /healthz HTTP/1.1\r\n\r\n", 400, "HTTP_REQUEST_MALFORMED"],
    ["HTTP/1.0 without Host", "GET /healthz HTTP/1.0\r\n\r\n", 400, "HTTP_REQUEST_MALFORMED"],
    [
      "a broken chunk",
      `POST /sample/ping HTTP/1.1\r\nHost: localhost\r\n${json}\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n`,
      400,
      "HTTP_REQUEST_MALFORMED",
    ],
  ];
  for (const [title, bytes, status, code] of broken) {
    test(`${title} is ${status} with problem details, and the connection ends`, async () => {
      await using sample = await openSample();
      using raw = await RawHttp.open(sample.url);
      raw.send(bytes);
      const answer = await raw.answer();
      assert.equal(answer.status, status);
      assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
      assert.equal(problem(answer.body)["code"], code);
      await assertReady(sample);
    });
  }

  test("an absolute-form target is judged by its path and reaches no other host", async () => {
    await using sample = await openSample();
    using raw = await RawHttp.open(sample.url);
    raw.send("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const { status, body } = await raw.answer();
    assert.ok(status === 200 || status === 404, body);
  });

  test("OPTIONS * is answered, not followed", async () => {
    await using sample = await openSample();
    using raw = await RawHttp.open(sample.url);
    raw.send("OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const { status, headers } = await raw.answer();
    assert.ok(status === 400 || status === 404, String(status));
    assert.match(headers.get("content-type") ?? "", /problem/);
  });

  test("dots in a path, plain or escaped, lead nowhere else", async () => {
    await using sample = await openSample();
    for (const path of ["/sample/x/../ping", "/sample/x/%2e%2e/ping", "/files/..%2f..%2fetc"]) {
      using raw = await RawHttp.open(sample.url);
      raw.send(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
      const { status, body } = await raw.answer();
      assert.ok(status === 404 || (path.startsWith("/files") && status === 200), body);
    }
  });

  test("a request of HTTP/1.0 is served and the connection closed", async () => {
    await using sample = await openSample();
    using raw = await RawHttp.open(sample.url);
    raw.send("GET /healthz HTTP/1.0\r\nHost: localhost\r\n\r\n");
    assert.equal((await raw.answer()).status, 200);
    await raw.closed;
  });

  test("pipelined requests are answered in their order", async () => {
    await using sample = await openSample();
    using raw = await RawHttp.open(sample.url);
    const ask = (name: string): string => {
      const body = JSON.stringify({ name });
      return `POST /sample/greet HTTP/1.1\r\nHost: localhost\r\n${json}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    };
    raw.send(["a", "b", "c"].map(ask).join(""));
    for (const name of ["a", "b", "c"]) {
      assert.match((await raw.answer()).body, new RegExp(`Hello, ${name}!`));
    }
  });

  test("garbage behind a request that is being answered does not spoil the answer", async () => {
    await using sample = await openSample();
    using raw = await RawHttp.open(sample.url);
    raw.send("POST /sample/flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await raw.until("data:");
    raw.send("garbage\r\n\r\n");
    await raw.closed;
    assert.doesNotMatch(raw.received, /HTTP_REQUEST_MALFORMED/);
  });
});

describe("Clients that are slow or go away", () => {
  test("a head or a body that never ends is 408 after receiveTimeoutMs", async () => {
    await using sample = await openSample({ "/http/receiveTimeoutMs": 150 });
    using head = await RawHttp.open(sample.url);
    head.send("GET /healthz HTTP/1.1\r\nHost: loc");
    using body = await RawHttp.open(sample.url);
    body.send(
      `POST /sample/ping HTTP/1.1\r\nHost: localhost\r\n${json}\r\nContent-Length: 9\r\n\r\n{`,
    );
    using chunked = await RawHttp.open(sample.url);
    chunked.send(
      `POST /sample/ping HTTP/1.1\r\nHost: localhost\r\n${json}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n`,
    );
    for (const raw of [head, body, chunked]) {
      const answer = await raw.answer();
      assert.equal(answer.status, 408);
      assert.equal(problem(answer.body)["code"], "HTTP_REQUEST_TIMEOUT");
      await raw.closed;
    }
  });

  test("a client that hangs up aborts its call", async () => {
    await using sample = await openSample();
    using raw = await RawHttp.open(sample.url);
    raw.send("POST /sample/hang HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await eventually(() => sample.probe.calls.length === 1);
    raw[Symbol.dispose]();
    await eventually(() => sample.probe.aborted.length === 1);
  });

  test("a body that breaks off runs nothing and is no fault of ours", async () => {
    await using sample = await openSample();
    using raw = await RawHttp.open(sample.url);
    raw.send(
      `POST /sample/greet HTTP/1.1\r\nHost: localhost\r\n${json}\r\nContent-Length: 99\r\n\r\n{"name"`,
    );
    raw[Symbol.dispose]();
    const { body } = await post([sample.url, "/sample/greet"], '{"name":"after"}');
    assert.equal(body["count"], 1);
    assert.deepEqual(
      sample.log.lines.filter(({ level }) => level === "error"),
      [],
    );
  });

  test("beyond inFlightMax a call is 429 with Retry-After, and the others go on", async () => {
    await using sample = await openSample({ "/limits/inFlightMax": 50 });
    const answers = Array.from({ length: 300 }, () => post([sample.url, "/sample/hang"], "{}"));
    await eventually(() => sample.probe.calls.length === 50);
    const refused = await Promise.any(answers);
    assert.equal(refused.status, 429);
    assert.equal(refused.headers.get("retry-after"), "1");
    assert.equal(refused.body["code"], "CALL_LIMIT_REACHED");
    sample.probe.release();
    const statuses = (await Promise.all(answers)).map(({ status }) => status);
    assert.ok(statuses.every((status) => status === 204 || status === 429));
    assert.ok(statuses.filter((status) => status === 204).length >= 50);
    await assertReady(sample);
  });

  test("a stop does not wait for clients that never finish sending or reading", async () => {
    const sample = await openSample({ "/node/stopTimeoutMs": 200 });
    using half = await RawHttp.open(sample.url);
    half.send(
      `POST /sample/ping HTTP/1.1\r\nHost: localhost\r\n${json}\r\nContent-Length: 9\r\n\r\n{`,
    );
    using deaf = await RawHttp.open(sample.url);
    deaf.send("POST /sample/flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await deaf.until("data:");
    deaf.pause();
    await withTimeout(sample.node.close(), { what: "The stop", timeoutMs: 5000 });
    await half.closed;
    assert.equal(sample.node.phase, "stopped");
  });
});

describe("Pages of other sites", () => {
  const hosts: [host: string, status: number][] = [
    ["localhost", 200],
    ["LOCALHOST:7600", 200],
    ["127.0.0.1:7600", 200],
    ["127.9.9.9", 200],
    ["[::1]:7600", 200],
    ["evil.example", 421],
    ["localhost.evil.example", 421],
    ["127.0.0.1.nip.io", 421],
    ["api.example.org", 200],
    ["", 421],
    ["localhost:x", 421],
    ["a@localhost", 421],
  ];
  test("only known names are answered for, so no page can rebind its own", async () => {
    await using sample = await openSample({ "/http/allowedHosts": ["api.example.org"] });
    for (const [host, status] of hosts) {
      using raw = await RawHttp.open(sample.url);
      raw.send(`GET /healthz HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
      const answer = await raw.answer();
      assert.equal(answer.status, status, host);
      if (status === 421) assert.equal(problem(answer.body)["code"], "HTTP_HOST_REFUSED");
    }
  });

  test("another origin is refused, the node's own and an allowed one are not", async () => {
    await using sample = await openSample({ "/http/allowedOrigins": ["https://app.example"] });
    const own = new URL(sample.url).origin;
    const cases: [origin: string, status: number][] = [
      ["https://evil.example", 403],
      ["null", 403],
      ["http://localhost:1", 403],
      [own.replace("http", "chrome-extension"), 403],
      [own, 204],
      ["https://app.example", 204],
    ];
    for (const [origin, status] of cases) {
      const answer = await post([sample.url, "/sample/ping"], "{}", { origin });
      assert.equal(answer.status, status, origin);
      const allowed = answer.headers.get("access-control-allow-origin");
      assert.equal(allowed, origin === "https://app.example" ? origin : null);
      if (status === 403) assert.equal(answer.body["code"], "HTTP_ORIGIN_REFUSED");
    }
  });

  test("a preflight of an allowed origin is answered; of another it is refused", async () => {
    await using sample = await openSample({ "/http/allowedOrigins": ["https://app.example"] });
    const preflight = (origin: string): ReturnType<typeof request> =>
      request(sample.url, "/sample/greet", { method: "OPTIONS", headers: { origin } });
    const yes = await preflight("https://app.example");
    assert.equal(yes.status, 204);
    assert.match(yes.headers.get("access-control-allow-headers") ?? "", /content-type/);
    assert.equal((await preflight("https://evil.example")).status, 403);
  });

  test("streams, raw answers and refusals carry the allowed origin too", async () => {
    await using sample = await openSample({ "/http/allowedOrigins": ["https://app.example"] });
    const headers = { origin: "https://app.example" };
    const answers = [
      await post([sample.url, "/sample/count"], '{"to":1}', headers),
      await request(sample.url, "/files/x", { headers }),
      await post([sample.url, "/sample/greet"], "{", headers),
      await post([sample.url, "/nothing"], "{", headers),
    ];
    for (const answer of answers) {
      assert.equal(answer.headers.get("access-control-allow-origin"), headers.origin);
      assert.equal(answer.headers.get("vary"), "origin");
    }
  });
});

describe("Streams", () => {
  test("frames come in order and the end is told", async () => {
    await using sample = await openSample();
    const { text, headers } = await post([sample.url, "/sample/count"], '{"to":3}');
    assert.match(headers.get("content-type") ?? "", /^text\/event-stream/);
    assert.equal(
      text,
      'data: {"n":1}\n\ndata: {"n":2}\n\ndata: {"n":3}\n\nevent: end\ndata: {}\n\n',
    );
    const empty = await post([sample.url, "/sample/count"], '{"to":0}');
    assert.equal(empty.text, "event: end\ndata: {}\n\n");
  });

  test("an error before the first frame has its own status, one after it is an event", async () => {
    await using sample = await openSample();
    const early = await post([sample.url, "/sample/count"], '{"to":3,"failAt":1}');
    assert.equal(early.status, 412);
    assert.equal(early.body["code"], "SAMPLE_SHY");
    const late = await post([sample.url, "/sample/count"], '{"to":3,"failAt":2}');
    assert.equal(late.status, 200);
    const [frame, error] = late.text.split("\n\n");
    assert.equal(frame, 'data: {"n":1}');
    assert.match(error ?? "", /^event: error\ndata: \{.*"code":"SAMPLE_SHY"/);
    assert.doesNotMatch(late.text, /event: end/);
    const refused = await post([sample.url, "/sample/count"], '{"to":-1}');
    assert.equal(refused.status, 400);
  });

  test("a client that goes away ends the handler", async () => {
    await using sample = await openSample();
    const stop = new AbortController();
    const response = await fetch(`${sample.url}/sample/flood`, {
      method: "POST",
      signal: stop.signal,
    });
    assert.equal(response.status, 200);
    stop.abort();
    await eventually(() => sample.probe.streamsEnded === 1);
  });

  test("a slow client slows the handler", async () => {
    await using sample = await openSample();
    using raw = await RawHttp.open(sample.url);
    raw.send("POST /sample/flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await raw.until("data:");
    raw.pause();
    let before = -1;
    await eventually(() => {
      const same = before === sample.probe.framesMade;
      before = sample.probe.framesMade;
      return same;
    });
    assert.ok(sample.probe.framesMade < 1000, String(sample.probe.framesMade));
  });

  test("a stop ends a stream with an event that says so", async () => {
    await using sample = await openSample({ "/node/stopTimeoutMs": 50 });
    using raw = await RawHttp.open(sample.url);
    raw.send("POST /sample/flood HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await raw.until("data:");
    await sample.node.close();
    await raw.closed;
    assert.match(raw.received, /event: error\ndata: \{.*"code":"NODE_DRAINING"/);
    assert.equal(sample.probe.streamsEnded, 1);
  });

  test("a quiet stream opens with a heartbeat and keeps beating", async () => {
    const clock = new FakeClock();
    await using sample = await openSample({}, { clock });
    using raw = await RawHttp.open(sample.url);
    raw.send("POST /sample/quiet HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await eventually(() => sample.probe.calls.length === 1);
    await clock.advance(15_000);
    await raw.until("text/event-stream");
    await clock.advance(30_000);
    await eventually(() => raw.received.split(": still here").length - 1 === 3);
    sample.probe.release();
    await raw.until("event: end");
  });
});

describe("Raw exchanges", () => {
  test("have parameters, redirect, set cookies twice and answer bytes", async () => {
    await using sample = await openSample();
    const named = await request(sample.url, "/files/a%20b?x=1");
    assert.deepEqual(named.body, {
      name: "a b",
      method: "GET",
      url: `${sample.url}/files/a%20b?x=1`,
    });
    const moved = await request(sample.url, "/files/moved");
    assert.equal(moved.status, 302);
    assert.equal(moved.headers.get("location"), "/files/here");
    const cookies = await request(sample.url, "/files/cookies");
    assert.deepEqual(cookies.headers.getSetCookie(), ["a=1", "b=2"]);
    const bytes = await fetch(`${sample.url}/files/bytes`);
    assert.deepEqual([...(await bytes.bytes())], [0, 255, 10, 13]);
  });

  test("stream a large body", async () => {
    await using sample = await openSample();
    const { text } = await request(sample.url, "/files/large");
    assert.equal(text.length, 64 * 65_536);
  });

  test("HEAD runs the handler and sends no body", async () => {
    await using sample = await openSample();
    const { status, text, headers } = await request(sample.url, "/files/x", { method: "HEAD" });
    assert.equal(status, 200);
    assert.equal(text, "");
    assert.match(headers.get("content-type") ?? "", /json/);
  });

  test("take any body, of any type or none", async () => {
    await using sample = await openSample();
    const body = new Uint8Array([1, 2, 255]);
    const typed = await post([sample.url, "/upload"], body, { "content-type": "image/png" });
    assert.deepEqual(typed.body, { size: 3, last: 255, type: "image/png" });
    const untyped = await request(sample.url, "/upload", { method: "POST", body });
    assert.deepEqual(untyped.body, { size: 3, last: 255, type: null });
    const none = await request(sample.url, "/upload", { method: "POST" });
    assert.equal(none.body["size"], 0);
    const large = await request(sample.url, "/upload", { method: "POST", body: "x".repeat(2e6) });
    assert.equal(large.status, 413);
  });

  test("a Response that cannot be sent is 500 and logged, not a hanging connection", async () => {
    await using sample = await openSample();
    for (const [index, name] of ["error", "control", "locked"].entries()) {
      const signal = AbortSignal.timeout(5000);
      const answer = await request(sample.url, `/files/${name}`, { signal });
      assert.equal(answer.status, 500, name);
      assert.equal(answer.body["code"], "INTERNAL");
      assert.equal(sample.log.lines.filter(({ level }) => level === "error").length, index + 1);
    }
    const head = { method: "HEAD", signal: AbortSignal.timeout(5000) };
    assert.equal((await request(sample.url, "/files/locked", head)).status, 500);
  });

  test("a body that breaks breaks the connection, because the status is out", async () => {
    await using sample = await openSample();
    await assert.rejects(request(sample.url, "/files/broken"));
    assert.deepEqual(sample.log.lines.map(({ level, message }) => [level, message]).slice(-1), [
      ["error", "raw answer broke off"],
    ]);
    await assertReady(sample);
  });
});
