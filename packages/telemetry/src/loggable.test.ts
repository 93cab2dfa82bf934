import assert from "node:assert/strict";
import { test } from "node:test";
import { BanyanError } from "@banyan/kernel";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { toLoggable, toLoggableFields } from "./loggable.ts";

const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

test("plain values pass as they are", () => {
  const value = { text: "a", number: 1.5, yes: true, none: null, list: [1, [2]], deep: { a: {} } };
  assert.deepEqual(plain(toLoggable(value)), value);
});

test("what JSON cannot say is said in words", () => {
  const fields = {
    big: 12n,
    never: Number.NaN,
    date: new Date(0),
    wrongDate: new Date(Number.NaN),
    bytes: Buffer.from("abc"),
    set: new Set([1, 2]),
    map: new Map([["a", 1]]),
    call: () => undefined,
    mark: Symbol("m"),
    later: Promise.resolve(),
    gone: undefined,
    url: new URL("http://host/path"),
    own: { toJSON: () => ({ shown: 1 }) },
  };
  assert.deepEqual(plain(toLoggableFields(fields)), {
    big: "12",
    never: "NaN",
    date: "1970-01-01T00:00:00.000Z",
    wrongDate: "[date]",
    bytes: "[bytes 3]",
    set: [1, 2],
    map: { a: 1 },
    call: "[function]",
    mark: "Symbol(m)",
    later: "[promise]",
    url: "http://host/path",
    own: { shown: 1 },
  });
});

test("an error shows its name, code, message, own fields, stack and causes", () => {
  const root = Object.assign(new Error("refused"), { code: "ECONNREFUSED", port: 6379 });
  const error = new BanyanError({
    kind: "unavailable",
    code: "STATE_ENGINE_DOWN",
    message: "The engine does not answer.",
    details: { engine: "redis", password: "hunter2" },
    cause: new Error("no connection", { cause: root }),
  });
  const shown = toLoggable(error);
  assert.partialDeepStrictEqual(plain(shown), {
    name: "BanyanError",
    code: "STATE_ENGINE_DOWN",
    message: "The engine does not answer.",
    kind: "unavailable",
    retryable: true,
    details: { engine: "redis", password: "[secret]" },
    cause: {
      name: "Error",
      message: "no connection",
      cause: { name: "Error", code: "ECONNREFUSED", message: "refused", port: 6379 },
    },
  });
  assert.match(JSON.stringify(shown), /"stack":"[^"]*loggable\.test\.ts/);
});

test("a chain of causes ends, also one that bites its own tail", () => {
  let error = new Error("0");
  for (let depth = 1; depth < 50; depth += 1) error = new Error(String(depth), { cause: error });
  const depthOf = (value: unknown): number =>
    typeof value === "object" && value !== null && "cause" in value ? 1 + depthOf(value.cause) : 0;
  assert.equal(depthOf(toLoggable(error)), 8);
  const tail = new Error("tail");
  tail.cause = new Error("head", { cause: tail });
  assert.partialDeepStrictEqual(plain(toLoggable(tail)), { cause: { cause: "[circular]" } });
  const many = new AggregateError([new Error("a"), new Error("b")], "both");
  assert.partialDeepStrictEqual(plain(toLoggable(many)), {
    errors: [{ message: "a" }, { message: "b" }],
  });
});

test("values under keys that name secrets are replaced, numbers that only measure are not", () => {
  const fields = {
    password: "p",
    dbPassword: 1234,
    "x-api-key": "k",
    Authorization: "Bearer t",
    headers: { "set-cookie": ["a=b"], accept: "text/plain" },
    refresh_token: { value: "t" },
    clientSecret: null,
    tokenCount: 4,
    tokensMax: 10,
    tokens: ["a", "b"],
    nested: new Map([["secret", "s"]]),
  };
  assert.deepEqual(plain(toLoggableFields(fields)), {
    password: "[secret]",
    dbPassword: "[secret]",
    "x-api-key": "[secret]",
    Authorization: "[secret]",
    headers: { "set-cookie": "[secret]", accept: "text/plain" },
    refresh_token: "[secret]",
    clientSecret: "[secret]",
    tokenCount: 4,
    tokensMax: 10,
    tokens: "[secret]",
    nested: { secret: "[secret]" },
  });
});

test("the password of a URL is replaced wherever it stands", () => {
  const error = new Error("connect redis://app:hunter2@host:6379 failed");
  assert.doesNotMatch(JSON.stringify(toLoggable(error)), /hunter2/);
  assert.equal(toLoggable("amqp://u:a@b@host/x"), "amqp://u:[secret]@host/x");
  assert.equal(toLoggable("http://host:80/a@b"), "http://host:80/a@b");
  assert.equal(toLoggable(new URL("http://u:pw@h/")), "http://u:[secret]@h/");
  const long = `${"x".repeat(100_000)} redis://u:hunter2@h ${"a:".repeat(100_000)}`;
  assert.doesNotMatch(JSON.stringify(toLoggable(long)), /hunter2/);
});

test("what throws when it is read costs itself, not the line", () => {
  const fields = {
    good: 1,
    get bad(): never {
      throw new Error("no");
    },
    worse: { toJSON: () => assert.fail("no") },
    proxy: new Proxy({}, { ownKeys: () => assert.fail("no") }),
  };
  assert.deepEqual(plain(toLoggableFields(fields)), {
    good: 1,
    bad: "[unreadable]",
    worse: "[unreadable]",
    proxy: "[unreadable]",
  });
});

test("cycles, depth, width and length are bounded, and the cut is marked", () => {
  const ring: Record<string, unknown> = { name: "ring" };
  ring["self"] = ring;
  assert.deepEqual(plain(toLoggable(ring)), { name: "ring", self: "[circular]" });
  const shared = { a: 1 };
  assert.deepEqual(plain(toLoggable([shared, shared])), [{ a: 1 }, { a: 1 }]);
  let deep: unknown = "bottom";
  for (let depth = 0; depth < 100; depth += 1) deep = { deep };
  assert.match(JSON.stringify(toLoggable(deep)), /"\[object\]"/);
  const wide = toLoggable(Array.from({ length: 150 }, (_, index) => index));
  assert.ok(Array.isArray(wide));
  assert.equal(wide.at(-1), "[50 more]");
  const keys = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`k${index}`, index]));
  assert.partialDeepStrictEqual(plain(toLoggable(keys)), { "[more]": 50 });
  assert.partialDeepStrictEqual(plain(toLoggable(new Map(Object.entries(keys)))), { "[more]": 50 });
  const long = toLoggable("x".repeat(10_000));
  assert.equal(long, `${"x".repeat(8_192)}[10000 chars]`);
});

test("any value gives bounded JSON without a secret, whatever its shape (I1, I2, I3)", () => {
  const anything = fc.anything({
    withDate: true,
    withMap: true,
    withSet: true,
    withBigInt: true,
    withNullPrototype: true,
    withTypedArray: true,
    withObjectString: true,
    maxDepth: 10,
  });
  const property = fc.property(anything, fc.constantFrom("password", "API-Key"), (value, key) => {
    const line = JSON.stringify(toLoggableFields({ value, inner: { [key]: "hunter2", value } }));
    JSON.parse(line);
    assert.doesNotMatch(line, /hunter2/);
    assert.ok(line.length < 500_000);
  });
  fc.assert(property, { seed: seedOf(), numRuns: 300 });
  const huge = Array.from({ length: 100 }, () => ({ text: Array(100).fill("y".repeat(9_000)) }));
  assert.ok(JSON.stringify(toLoggable(huge)).length < 200_000);
});

test("a field named __proto__ is a field like any other", () => {
  const fields: unknown = JSON.parse('{"a":{"__proto__":{"polluted":1}}}');
  assert.equal(JSON.stringify(toLoggable(fields)), '{"a":{"__proto__":{"polluted":1}}}');
});
