import assert from "node:assert/strict";
import { test } from "node:test";
import { CallRuntime } from "@banyan/kernel/internal";
import { openFleet } from "./open-fleet.ts";
import { createRegistry, secret } from "./sample-fleet.test.ts";

test("numbers that are out of their bounds are refused with what to say", async () => {
  const wrong: readonly (readonly [string, unknown])[] = [
    ["streamAhead", 65_536],
    ["streamAhead", -1],
    ["streamAhead", 1.5],
    ["heartbeatMs", 0],
    ["heartbeatMs", Number.NaN],
    ["callsMax", 0],
    ["messageBytesMax", Infinity],
    ["loadMax", 80],
    ["loadMax", true],
  ];
  for (const [name, value] of wrong) {
    const own = { [name]: value };
    const means = { node: "x", registry: createRegistry(), runtime: new CallRuntime(), secret };
    await assert.rejects(
      openFleet({ ...means, ...own }),
      { code: "MESH_OPTIONS_INVALID", message: new RegExp(`${name} is ${String(value)}; say .+`) },
      name,
    );
  }
});

test("a secret is needed where certificates do not prove who calls", async () => {
  const means = { node: "x", registry: createRegistry(), runtime: new CallRuntime() };
  const pem = { cert: "", key: "", ca: "" };
  for (const own of [
    {},
    { secret: "short" },
    { tls: { ...pem, mutual: false } },
    { secret, acceptedSecret: "short" },
    { tls: pem, acceptedSecret: secret },
  ]) {
    await assert.rejects(openFleet({ ...means, ...own }), { code: "MESH_OPTIONS_INVALID" });
  }
});
