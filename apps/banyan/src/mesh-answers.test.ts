import assert from "node:assert/strict";
import { test } from "node:test";
import { endpointRows, endpointTable } from "./mesh-answers.ts";

const row = { app: "banyan", host: "10.0.0.1", port: 7700, services: [{ name: "node" }] };
const endpoints = [
  { ...row, node: "a", instance: "a.1", status: "up", isSelf: true, load: 0.124 },
  { ...row, node: "b", instance: "b.1", status: "up", services: [{ name: "orders" }] },
  { ...row, node: "c", instance: "c.1", status: "degraded", load: 1, issues: ["it is\nbusy", 7] },
];

test("endpoints are shown with their load in percent, and with what ails them", () => {
  const plain = { style: (_style: unknown, text: string) => text };
  assert.deepEqual(endpointTable(endpointRows({ endpoints }), plain).split("\n"), [
    "APP     NODE          ADDRESS        STATUS    LOAD  SERVICES",
    "banyan  a (this one)  10.0.0.1:7700  up        12%   -",
    "banyan  b             10.0.0.1:7700  up        -     orders",
    "banyan  c             10.0.0.1:7700  degraded  100%  -",
    "c: it is busy",
  ]);
});
