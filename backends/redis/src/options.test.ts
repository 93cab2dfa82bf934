import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { resolveRedisOptions } from "./options.ts";

test("what is left out is the Redis of this machine", () => {
  const options = resolveRedisOptions();
  assert.deepEqual(options.places, [{ host: "127.0.0.1", port: 6379 }]);
  const { isCluster, database, keyPrefix, tls } = options;
  assert.deepEqual([isCluster, database, keyPrefix, tls], [false, 0, "banyan", undefined]);
  assert(Object.isFrozen(options));
});

test("a url holds place, user, password, database and TLS; options of these names win", () => {
  const whole = resolveRedisOptions({ url: "rediss://ann:p%40ss@redis.example:7000/3" });
  assert.deepEqual(whole.places, [{ host: "redis.example", port: 7000 }]);
  assert.deepEqual([whole.username, whole.password, whole.database], ["ann", "p@ss", 3]);
  assert.deepEqual(whole.tls, {});
  const other = resolveRedisOptions({ url: "redis://ann:x@[::1]/3", username: "bob", database: 4 });
  assert.deepEqual([other.username, other.password, other.database], ["bob", "x", 4]);
  assert.deepEqual(other.places, [{ host: "::1", port: 6379 }]);
  const unix = resolveRedisOptions({ url: "unix:///run/redis.sock", tls: false });
  assert.deepEqual(unix.places, [{ path: "/run/redis.sock" }]);
});

test("members of a Cluster are written host:port", () => {
  const { places, isCluster } = resolveRedisOptions({ cluster: ["a.example:1", "[::1]:2", "b"] });
  assert.deepEqual(places, [
    { host: "a.example", port: 1 },
    { host: "::1", port: 2 },
    { host: "b", port: 6379 },
  ]);
  assert.equal(isCluster, true);
});

test("what nobody can mean is refused, and a secret is not repeated", () => {
  const wrong: Record<string, unknown>[] = [
    { urls: "redis://a" },
    { url: "http://a" },
    { url: "secret" },
    { password: { secret: 1 } },
    { database: -1 },
    { database: 1.5 },
    { url: "redis://a/x" },
    { cluster: [] },
    { cluster: "a:1" },
    { cluster: ["a b:1"] },
    { cluster: ["a:1"], url: "redis://a" },
    { cluster: ["a:1"], database: 1 },
    { keyPrefix: "" },
    { keyPrefix: "a{b}" },
    { tls: "yes" },
    { tls: { cert: "a" } },
    { tls: { ca: 1 } },
    { tls: { key: "a" } },
    { tls: false, url: "rediss://a" },
    { commandTimeoutMs: 9 },
    { connectTimeoutMs: Infinity },
    { requestsWaitingMax: 0 },
    { sweepIntervalMs: 99 },
  ];
  for (const options of wrong) {
    assert.throws(
      () => resolveRedisOptions(options),
      (error) => {
        assert(isBanyanError(error, "STATE_OPTION_INVALID"), JSON.stringify(options));
        return !error.message.includes("secret");
      },
      JSON.stringify(options),
    );
  }
});
