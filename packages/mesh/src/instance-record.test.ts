import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "@banyan/testbed";
import { parseInstanceRecord, parseMapping } from "./instance-record.ts";
import type { InstanceRecord } from "./instance-record.ts";

const record: InstanceRecord = {
  instance: "till.1",
  node: "till",
  app: "banyan",
  host: "10.0.0.1",
  port: 7000,
  services: { shop: "1.0.0" },
  status: "degraded",
  issues: ["its load is high"],
  load: { load: 0.9, eventLoop: 0.9, lag: 0, cpu: 0.5, memory: 0, calls: 1 },
  startedAtMs: 1,
  renewedAtMs: 2,
  hasLeft: true,
};

test("a record is read as it was written, without what is not known here", () => {
  const written: unknown = JSON.parse(JSON.stringify({ ...record, newer: true }));
  assert.deepEqual(parseInstanceRecord(written), record);
});

test("a record of an older node is read: its load is not known", () => {
  const {
    issues: _issues,
    load: _load,
    startedAtMs: _started,
    renewedAtMs: _renewed,
    ...older
  } = {
    ...record,
    status: "up",
  };
  const read = parseInstanceRecord(older);
  assert.equal(read?.instance, "till.1");
  assert.deepEqual([read?.issues, read?.load], [[], undefined]);
});

test("a load of a node from before lag was measured has none", () => {
  const { lag: _lag, ...older } = { lag: 0, ...record.load };
  assert.deepEqual(parseInstanceRecord({ ...record, load: older })?.load, record.load);
});

for (const load of [
  { ...record.load, load: 80 },
  { ...record.load, cpu: -0.1 },
  { ...record.load, memory: "0.5" },
  { load: 0.5 },
  80,
  null,
]) {
  test(`a load of ${JSON.stringify(load)} is none, and the record still one`, () => {
    const read = parseInstanceRecord({ ...record, load });
    assert.equal(read?.instance, "till.1");
    assert.equal(read?.load, undefined);
  });
}

for (const wrong of [
  { instance: "" },
  { instance: "x".repeat(65) },
  { instance: "a b" },
  { host: 7 },
  { port: 0 },
  { port: 65_536 },
  { port: "7000" },
  { status: "asleep" },
  { services: ["shop"] },
  { services: { shop: 1 } },
  { services: undefined },
]) {
  test(`a record with ${JSON.stringify(wrong)} is none`, () => {
    assert.equal(parseInstanceRecord({ ...record, ...wrong }), undefined);
  });
}

test("whatever lies in a registry, it is a record or none, and nothing else happens", () => {
  const property = fc.property(fc.anything(), (value) => {
    parseInstanceRecord(value);
    parseMapping(value);
    const mixed = parseInstanceRecord({ ...record, issues: value, load: value });
    assert(mixed !== undefined && mixed.issues.every((issue) => issue.length <= 200));
  });
  fc.assert(property, { seed: seedOf(), numRuns: 1000 });
});

test("a mapping is one, or nothing", () => {
  const mapping = { epoch: "1", version: 2, apps: { shop: "blue" } };
  assert.deepEqual(parseMapping({ ...mapping, more: 1 }), mapping);
  for (const wrong of [{ epoch: 1 }, { version: 1.5 }, { apps: null }, { apps: { shop: 7 } }]) {
    assert.equal(parseMapping({ ...mapping, ...wrong }), undefined);
  }
});
