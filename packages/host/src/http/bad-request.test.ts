/** Every kind of bad request has its clear answer, and the node stays ready. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { RawHttp } from "@banyan/testbed";
import { openSample, post, request } from "../sample-node.test.ts";
import type { Answer, SampleNode } from "../sample-node.test.ts";

let sample: SampleNode;
before(async () => {
  sample = await openSample();
});
after(async () => {
  const ready = await request(sample.url, "/readyz");
  assert.equal(ready.status, 200, ready.text);
  await sample[Symbol.asyncDispose]();
});

function assertProblem(answer: Answer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.text);
  assert.match(answer.headers.get("content-type") ?? "", /^application\/problem\+json/);
  assert.equal(answer.body["code"], code);
  assert.equal(answer.body["status"], status);
  assert.doesNotMatch(answer.text, /hunter2|node_modules|at .*\.ts:\d/);
}

const greet = (body: string | Uint8Array<ArrayBuffer>): Promise<Answer> =>
  post([sample.url, "/sample/greet"], body);

const refusals: [title: string, body: string, pointer: string, says: RegExp][] = [
  ["a name that is too short", '{"name":""}', "/name", /1 to 64 characters/],
  ["a name of another type", '{"name":7}', "/name", /string/],
  ["a misspelt field", '{"nme":"x"}', "/nme", /name/],
  ["one field too many", '{"name":"x","extra":1}', "/extra", /extra/],
  ["an array", "[]", "", /object/],
  ["null", "null", "", /object/],
  ["a number", "7", "", /object/],
  ["a key named __proto__", '{"name":"x","__proto__":{"a":1}}', "/__proto__", /__proto__/],
  ["100 000 brackets", "[".repeat(100_000) + "]".repeat(100_000), "", /object/],
];
describe("A body that does not fit", () => {
  for (const [title, body, pointer, says] of refusals) {
    test(`${title} is 400 and says where`, async () => {
      const answer = await greet(body);
      assertProblem(answer, 400, "REQUEST_INVALID");
      const issues = answer.body["issues"] as { pointer: string }[];
      assert.ok(
        issues.some((issue) => issue.pointer === pointer),
        answer.text,
      );
      assert.match(answer.text, says);
      assert.ok(answer.text.length < 5000, "the answer must not grow with the question");
    });
  }

  test("a misspelt field is told the nearest known name", async () => {
    const answer = await greet('{"nme":"x"}');
    assert.equal(answer.body["pointer"], "/nme");
    assert.match(String(answer.body["detail"]), /\/nme is not a known property.*name/);
    assert.match(JSON.stringify(answer.body["issues"]), /"suggestion":"name"/);
  });

  test("nothing was counted for any of them", async () => {
    const { body } = await greet('{"name":"x"}');
    assert.equal(body["count"], 1);
  });

  test("the last of two equal keys counts, as in every JSON parser", async () => {
    const { body } = await greet('{"name":"first","name":"second"}');
    assert.equal(body["text"], "Hello, second!");
  });

  test("deep nesting in a field that takes anything is refused, not a crash", async () => {
    const deep = `{"value":${"[".repeat(50_000)}${"]".repeat(50_000)}}`;
    assertProblem(await post([sample.url, "/sample/keep"], deep), 400, "REQUEST_INVALID");
  });

  test("__proto__ deep inside pollutes nothing", async () => {
    const answer = await post([sample.url, "/sample/keep"], '{"value":{"__proto__":{"bad":1}}}');
    assert.ok(answer.status === 200 || answer.status === 400);
    assert.equal(Reflect.get({}, "bad"), undefined);
  });
});

const unreadable: [title: string, body: string | Uint8Array<ArrayBuffer>, says: RegExp][] = [
  ["half a body", "{", /ends too early|unexpected at position|position 1/],
  ["words", "hello", /unexpected 'h'/],
  ["a trailing comma", '{"name":"x",}', /position 12/],
  ["a byte order mark", "\ufeff{}", /byte order mark/],
  ["bytes that are not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), /not UTF-8/],
  ["a secret in broken JSON", '{"password": hunter2}', /unexpected 'h'/],
];
describe("A body that is not JSON", () => {
  for (const [title, body, says] of unreadable) {
    test(`${title} is 400`, async () => {
      const answer = await greet(body);
      assertProblem(answer, 400, "HTTP_BODY_INVALID");
      assert.match(String(answer.body["detail"]), says);
    });
  }
});

describe("A body of the wrong size or type", () => {
  test("20 MB are 413", async () => {
    const answer = await greet(`{"name":"${"x".repeat(20_000_000)}"}`);
    assertProblem(answer, 413, "HTTP_BODY_TOO_LARGE");
    assert.deepEqual(answer.body["details"], { limitBytes: 1_048_576 });
  });

  test("20 MB without a length are 413 before they are all there", async () => {
    using raw = await RawHttp.open(sample.url);
    raw.request(
      "POST /sample/greet HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked",
    );
    const chunk = "x".repeat(100_000);
    for (let n = 0; n < 12; n += 1) raw.send(`${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    const { status, headers } = await raw.answer();
    assert.equal(status, 413);
    assert.equal(headers.get("connection"), "close");
    await raw.closed;
  });

  test("an operation's own limit holds", async () => {
    const answer = await post([sample.url, "/sample/small"], `{"text":"${"x".repeat(64)}"}`);
    assertProblem(answer, 413, "HTTP_BODY_TOO_LARGE");
  });

  for (const type of [
    "text/plain",
    "application/jsonp",
    "application/x-www-form-urlencoded",
    "*/*",
    "",
  ]) {
    test(`the media type ${JSON.stringify(type)} is 415`, async () => {
      const answer = await post([sample.url, "/sample/greet"], '{"name":"x"}', {
        "content-type": type,
      });
      assertProblem(answer, 415, "HTTP_MEDIA_TYPE_UNSUPPORTED");
      assert.match(String(answer.body["detail"]), /application\/json/);
    });
  }

  test("a media type with parameters is taken", async () => {
    const headers = { "content-type": "application/json; charset=utf-8" };
    const { status } = await post([sample.url, "/sample/greet"], '{"name":"p"}', headers);
    assert.equal(status, 200);
  });

  test("no body and an empty one are an empty object", async () => {
    assert.equal((await post([sample.url, "/sample/ping"])).status, 204);
    assert.equal((await post([sample.url, "/sample/ping"], "")).status, 204);
    assertProblem(await post([sample.url, "/sample/greet"]), 400, "REQUEST_INVALID");
  });
});

describe("An address that is not served", () => {
  const unknown: [path: string, code: string, says: RegExp][] = [
    ["/sample/gret", "OPERATION_UNKNOWN", /POST \/sample\/greet/],
    ["/smple/greet", "SERVICE_UNKNOWN", /"sample"/],
    ["/Sample/greet", "SERVICE_UNKNOWN", /"sample"/],
    ["/sample/Greet", "OPERATION_UNKNOWN", /POST \/sample\/greet/],
    ["/sample/greet/", "OPERATION_UNKNOWN", /POST \/sample\/greet/],
    ["/sample", "HTTP_ROUTE_UNKNOWN", /\/docs/],
    ["/sample%2Fgreet", "HTTP_ROUTE_UNKNOWN", /\/docs/],
    ["/sample/admin", "OPERATION_UNKNOWN", /admin/],
    ["/..%2f..%2fetc/passwd", "HTTP_ROUTE_UNKNOWN", /\/docs/],
    [`/sample/${"x".repeat(8000)}`, "OPERATION_UNKNOWN", /…/],
    ["/node/__proto__", "OPERATION_UNKNOWN", /node/],
    ["/constructor/toString", "SERVICE_UNKNOWN", /constructor/],
  ];
  for (const [path, code, says] of unknown) {
    test(`${path.slice(0, 40)} is 404`, async () => {
      const answer = await post([sample.url, path], "{");
      assertProblem(answer, 404, code);
      assert.match(String(answer.body["detail"]), says);
    });
  }

  test("a query does not matter, nor does an escaped letter", async () => {
    assert.equal((await post([sample.url, "/sample/ping?name=x"], "{}")).status, 204);
    assert.equal((await post([sample.url, "/sample/%70ing"], "{}")).status, 204);
  });

  for (const method of ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND"]) {
    test(`${method} on an operation is 405 and says what is right`, async () => {
      const { status, headers } = await request(sample.url, "/sample/greet", { method });
      assert.equal(status, 405);
      assert.equal(headers.get("allow"), "POST");
    });
  }

  test("POST on a page or a raw route is 405", async () => {
    const page = await post([sample.url, "/healthz"], "{}");
    assertProblem(page, 405, "HTTP_METHOD_NOT_ALLOWED");
    assert.equal(page.headers.get("allow"), "GET, HEAD");
    const raw = await post([sample.url, "/files/some"], "{}");
    assertProblem(raw, 405, "HTTP_METHOD_NOT_ALLOWED");
    assert.equal(raw.headers.get("allow"), "GET, HEAD");
  });

  test("a broken escape is 400", async () => {
    assertProblem(await post([sample.url, "/sample/%zz"], "{}"), 400, "HTTP_REQUEST_MALFORMED");
  });

  test("no body is read for it", async () => {
    const answer = await post([sample.url, "/sample/nothing"], "{".repeat(2_000_000));
    assertProblem(answer, 404, "OPERATION_UNKNOWN");
  });
});

describe("Headers", () => {
  for (const value of ["0", "-1", "1.5", "1e3", "0x10", "soon", "3600001", "", "1, 2"]) {
    test(`banyan-timeout-ms ${JSON.stringify(value)} is 400`, async () => {
      const answer = await post([sample.url, "/sample/ping"], "{}", { "banyan-timeout-ms": value });
      assertProblem(answer, 400, "HTTP_REQUEST_MALFORMED");
    });
  }

  test("banyan-timeout-ms ends a call with 504", async () => {
    const answer = await post([sample.url, "/sample/hang"], "{}", { "banyan-timeout-ms": "20" });
    assertProblem(answer, 504, "CALL_DEADLINE_EXCEEDED");
  });

  for (const value of ["a b", "x".repeat(256), "é", ""]) {
    test(`idempotency-key ${JSON.stringify(value.slice(0, 5))} is 400`, async () => {
      const answer = await post([sample.url, "/sample/ping"], "{}", { "idempotency-key": value });
      assertProblem(answer, 400, "IDEMPOTENCY_KEY_INVALID");
    });
  }

  const wrong = ["Bearer", "Bearer ", "Bearer x", "Basic YTpi", "bearer  two words", "x", ""];
  for (const authorization of wrong) {
    test(`authorization ${JSON.stringify(authorization)} is 401`, async () => {
      const answer = await post([sample.url, "/sample/secret"], "{}", { authorization });
      assertProblem(answer, 401, "CALL_UNAUTHENTICATED");
      assert.match(answer.headers.get("www-authenticate") ?? "", /^Bearer/);
    });
  }

  test("an internal operation without a credential is 401", async () => {
    assertProblem(await post([sample.url, "/sample/secret"], "{}"), 401, "CALL_UNAUTHENTICATED");
  });

  test("a caller's trace goes on, and the answer names the call's span", async () => {
    const trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    const traceparent = `00-${trace}-00f067aa0ba902b7-01`;
    const { headers } = await post([sample.url, "/sample/greet"], '{"name":"t"}', { traceparent });
    assert.match(headers.get("traceparent") ?? "", new RegExp(`^00-${trace}-[0-9a-f]{16}-01$`));
    assert.notEqual(headers.get("traceparent"), traceparent);
    assert.equal(sample.probe.calls.at(-1)?.trace.traceId, trace);
    const failed = await post([sample.url, "/sample/greet"], '{"name":"shy"}', { traceparent });
    assert.equal(failed.body["traceId"], trace);
  });

  test("a broken traceparent is as good as none", async () => {
    const headers = { traceparent: "00-zz-yy-01" };
    const answer = await post([sample.url, "/sample/greet"], '{"name":"t"}', headers);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get("traceparent"), null);
  });
});

describe("Failures", () => {
  test("a declared error keeps its code and message", async () => {
    const answer = await greet('{"name":"shy"}');
    assertProblem(answer, 412, "SAMPLE_SHY");
    assert.equal(answer.body["detail"], "Not today.");
  });

  for (const operation of ["crash", "lie"]) {
    test(`${operation} is 500 without its cause, which is logged once`, async () => {
      const before = sample.log.lines.length;
      const answer = await post([sample.url, `/sample/${operation}`], "{}");
      assertProblem(answer, 500, "INTERNAL");
      const errors = sample.log.lines.slice(before).filter(({ level }) => level === "error");
      assert.equal(errors.length, 1);
      assert.equal(errors[0]?.fields["traceId"], answer.body["traceId"]);
    });
  }
});
