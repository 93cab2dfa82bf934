import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { readTlsFiles, resolveServerPlace } from "./server-options.ts";
import type { ServerKind, ServerOptions } from "./server-options.ts";

const kind: ServerKind = { what: "The engine", schemes: ["one", "other"], port: 17 };
const usual = { host: "127.0.0.1", port: 17, database: "banyan", user: "banyan", password: "" };

test("a url has the parts, and what is given alone wins over its own", () => {
  assert.deepEqual(resolveServerPlace({}, kind), usual);
  const url = "other://ad%40m:p%2Fw@[::1]:18/shop%20a";
  const all = { host: "::1", port: 18, database: "shop a", user: "ad@m", password: "p/w" };
  assert.deepEqual(resolveServerPlace({ url }, kind), all);
  const given = resolveServerPlace({ url, port: 19, password: "" }, kind);
  assert.deepEqual(given, { ...all, port: 19, password: "" });
  assert.deepEqual(resolveServerPlace({ url: "one://db" }, kind), { ...usual, host: "db" });
});

test("what is wrong is named with its engine, and no secret is", () => {
  const wrong: readonly (readonly [ServerOptions, string])[] = [
    [{ url: "third://a:secret@b/c" }, "url must be like one://user:password@host:17/database"],
    [{ url: "secret" }, "url must be like"],
    [{ url: "one://a:secret@b/c?tls=1" }, "parameters"],
    [{ port: 0 }, "port is 0"],
    [{ host: "" }, "host must be text"],
  ];
  for (const [options, part] of wrong) {
    assert.throws(
      () => resolveServerPlace(options, kind),
      (error: unknown) => {
        assert(isBanyanError(error, "STATE_OPTION_INVALID"));
        assert(error.message.startsWith("The engine: "), error.message);
        assert(error.message.includes(part) && !error.message.includes("secret"), error.message);
        return true;
      },
    );
  }
  assert.throws(() => readTlsFiles({ ca: "/nowhere/ca.crt" }), /tls\.ca names \/nowhere\/ca\.crt/);
});
