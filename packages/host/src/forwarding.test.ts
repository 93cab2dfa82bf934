/** The door of a node that does not run a service answers as the door of the one that does. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { defineContract, defineService } from "@banyan/kernel";
import type { OperationSpec } from "@banyan/kernel";
import type { Fleet } from "@banyan/mesh";
import { FakeClock, RawHttp } from "@banyan/testbed";
import { operationsElsewhere } from "./elsewhere.ts";
import { openBed, untilSo, urlOf } from "./sample-fleet.test.ts";
import type { FleetBed } from "./sample-fleet.test.ts";
import { defineSample, post, request } from "./sample-node.test.ts";
import type { Answer } from "./sample-node.test.ts";

const json = { "content-type": "application/json" };
const large = `{"value":"${"x".repeat(2000)}"}`;

/** What is refused, and by which code; the same at both doors. */
const refused: [what: string, path: string, init: RequestInit, code: string][] = [
  ["GET", "/sample/greet", {}, "HTTP_METHOD_NOT_ALLOWED"],
  ["PUT", "/sample/admin/reset", { method: "PUT" }, "HTTP_METHOD_NOT_ALLOWED"],
  ["OPTIONS", "/sample/greet", { method: "OPTIONS" }, "HTTP_METHOD_NOT_ALLOWED"],
  ["PROPFIND", "/sample/greet", { method: "PROPFIND" }, "HTTP_METHOD_NOT_ALLOWED"],
  ["GET of nothing", "/sample/gret", {}, "OPERATION_UNKNOWN"],
  ["nothing", "/sample/gret", { body: large }, "OPERATION_UNKNOWN"],
  ["a group", "/sample/admin", { body: "{}" }, "OPERATION_UNKNOWN"],
  ["a slash too many", "/sample/greet/", { body: "{}" }, "OPERATION_UNKNOWN"],
  ["dots", "/sample/admin.reset", { body: "{}" }, "OPERATION_UNKNOWN"],
  ["an escaped slash", "/sample/admin%2Freset", { body: "{}" }, "OPERATION_UNKNOWN"],
  ["a prototype", "/sample/__proto__", { body: "{}" }, "OPERATION_UNKNOWN"],
  [
    "its own bound",
    "/sample/small",
    { body: `{"text":"${"x".repeat(64)}"}` },
    "HTTP_BODY_TOO_LARGE",
  ],
  ["the node's bound", "/sample/keep", { body: large }, "HTTP_BODY_TOO_LARGE"],
  ["half a body", "/sample/greet", { body: "{" }, "HTTP_BODY_INVALID"],
  ["a byte order mark", "/sample/greet", { body: "\ufeff{}" }, "HTTP_BODY_INVALID"],
  ["no fields", "/sample/greet", { body: "" }, "REQUEST_INVALID"],
  ["an array", "/sample/greet", { body: "[]" }, "REQUEST_INVALID"],
  [
    "text",
    "/sample/greet",
    { body: large, headers: { "content-type": "text/plain" } },
    "HTTP_MEDIA_TYPE_UNSUPPORTED",
  ],
  [
    "a timeout of words",
    "/sample/ping",
    { body: "{}", headers: { ...json, "banyan-timeout-ms": "soon" } },
    "HTTP_REQUEST_MALFORMED",
  ],
  [
    "a key of spaces",
    "/sample/ping",
    { body: "{}", headers: { ...json, "idempotency-key": "a b" } },
    "IDEMPOTENCY_KEY_INVALID",
  ],
  ["no credential", "/sample/secret", { body: "{}" }, "CALL_UNAUTHENTICATED"],
  [
    "a wrong one",
    "/sample/secret",
    { body: "{}", headers: { ...json, authorization: "Bearer x" } },
    "CALL_UNAUTHENTICATED",
  ],
  ["what it declares", "/sample/greet", { body: `{"name":"shy"}` }, "SAMPLE_SHY"],
];

describe("At the door of a node that does not run a service", () => {
  let bed: FleetBed;
  let [theirs, other] = ["", ""];
  before(async () => {
    bed = openBed();
    // The bound is the provider's, though the other node takes more.
    theirs = urlOf(await bed.open("back", [defineSample()], { "/http/bodyBytesMax": 1024 }));
    other = urlOf(await bed.open("front", []));
  });
  after(() => bed[Symbol.asyncDispose]());

  for (const [what, path, init, code] of refused) {
    test(`${what} at ${path} is answered as by the one that does`, async () => {
      const method = init.body === undefined ? "GET" : "POST";
      const ask = (url: string): Promise<Answer> =>
        request(url, path, { method, headers: json, ...init });
      const [at, there] = [await ask(other), await ask(theirs)];
      assert.equal(at.body["code"], code, at.text);
      assert.deepEqual(shapeOf(at), shapeOf(there));
    });
  }

  test("HEAD is refused as by the one that does", async () => {
    const ask = (url: string): Promise<Answer> => request(url, "/sample/greet", { method: "HEAD" });
    const at = await ask(other);
    assert.equal(at.status, 405);
    assert.deepEqual(shapeOf(at), shapeOf(await ask(theirs)));
  });

  test("a body without a length is refused before it is all there", async () => {
    for (const url of [other, theirs]) {
      using raw = await RawHttp.open(url);
      raw.request(
        "POST /sample/small HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked",
      );
      raw.send(`50\r\n${"x".repeat(0x50)}\r\n`);
      const { status, headers } = await raw.answer();
      assert.deepEqual([status, headers.get("connection")], [413, "close"], url);
    }
  });

  test("a raw exchange is refused with the node that has it", async () => {
    const says =
      /sample\.file is a raw HTTP exchange.*GET \/files\/:name to a node.*"sample": back\./;
    for (const method of ["GET", "POST", "DELETE"]) {
      const answer = await request(other, "/files/some", { method });
      assert.deepEqual([answer.status, answer.body["code"]], [404, "OPERATION_UNKNOWN"]);
      assert.match(String(answer.body["detail"]), says);
    }
    const named = await post([other, "/sample/upload"], "{}");
    assert.match(String(named.body["detail"]), /sample\.upload is a raw .*POST \/upload/);
    const nothing = await request(other, "/nobody/some");
    assert.equal(nothing.body["code"], "SERVICE_UNKNOWN");
  });
});

/** All that a client goes by, but the words and what is of the moment. */
function shapeOf({ status, headers, body }: Answer) {
  const ofTheMoment = ["date", "content-length", "traceparent"];
  const lines = [...headers].filter(([name]) => !ofTheMoment.includes(name));
  return { status, lines, ...body, detail: "", traceId: "" };
}

test("a node that is started anew with one operation more is called there", async () => {
  await using bed = openBed();
  const thing = (...names: string[]) => {
    const spec: OperationSpec = { summary: "One.", access: "anonymous" };
    const operations = Object.fromEntries(names.map((name) => [name, spec]));
    const contract = defineContract("thing", { summary: "A.", version: "1.0.0", operations });
    const handlers = Object.fromEntries(names.map((name) => [name, () => undefined]));
    return defineService(contract, () => ({ operations: handlers }));
  };
  const url = urlOf(await bed.open("front", []));
  const first = await bed.open("back", [thing("old")]);
  assert.equal((await post([url, "/thing/old"])).status, 204);
  assert.equal((await post([url, "/thing/more"])).body["code"], "OPERATION_UNKNOWN");
  await first.close();
  await bed.open("back", [thing("old", "more")]);
  await untilSo(async () => (await post([url, "/thing/more"])).status === 204);
});

describe("What other nodes say of their services", () => {
  test("is asked for once by all at once, and again when something is missing", async () => {
    const clock = new FakeClock();
    const { fleet, names, counted } = describedFleet();
    const elsewhere = operationsElsewhere(fleet, clock);
    const find = (path: string) => elsewhere.find("thing", path).then(() => "found", codeOf);
    const all = await Promise.all(Array.from({ length: 50 }, () => find("old")));
    assert.deepEqual([new Set(all), counted()], [new Set(["found"]), 1]);
    await clock.advance(1000);
    const missed = await Promise.all(Array.from({ length: 50 }, () => find("more")));
    assert.deepEqual([new Set(missed), counted()], [new Set(["OPERATION_UNKNOWN"]), 2]);
    names.push("more");
    assert.deepEqual([await find("more"), counted()], ["OPERATION_UNKNOWN", 2], "not each time");
    await clock.advance(1000);
    assert.deepEqual([await find("more"), counted()], ["found", 3]);
    assert.deepEqual(
      [await find("old"), counted()],
      ["found", 3],
      "what is known is not asked for",
    );
  });

  test("is asked for again when who said it is gone, and kept where nobody can say", async () => {
    const clock = new FakeClock();
    const { fleet, names, counted, provider } = describedFleet();
    const elsewhere = operationsElsewhere(fleet, clock);
    const find = (path: string) => elsewhere.find("thing", path).then(() => "found", codeOf);
    assert.equal(await find("old"), "found");
    provider.instance = "anew";
    names.length = 0;
    await clock.advance(1000);
    assert.deepEqual([await find("old"), counted()], ["OPERATION_UNKNOWN", 2]);
    names.push("old");
    await clock.advance(1000);
    assert.equal(await find("old"), "found");
    provider.instance = "silent";
    await clock.advance(1000);
    assert.deepEqual([await find("old"), counted()], ["found", 4]);
  });
});

/** A fleet of one other node, which counts how often it is asked to describe `thing`. */
function describedFleet() {
  const names = ["old"];
  let count = 0;
  const provider = { instance: "one", node: "back", services: { thing: "1.0.0" } };
  const describeIt = async (): Promise<unknown> => {
    count += 1;
    if (provider.instance === "silent") throw new Error("no");
    const row = { kind: "unary", method: "POST", path: "", idempotent: false };
    return { operations: names.map((name) => ({ ...row, name })) };
  };
  const fleet = {
    providersOf: () => [provider],
    instances: () => [provider],
    clientOf: () => ({ describe: describeIt }),
    endpoint: () => ({}),
  };
  // Nothing else of a fleet is asked for here.
  return { fleet: fleet as unknown as Fleet, names, provider, counted: () => count };
}

function codeOf(error: unknown): unknown {
  return Object(error).code;
}
