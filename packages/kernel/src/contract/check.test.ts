import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError } from "../errors/banyan-error.ts";
import { t } from "../schema/t.ts";
import type { Offence } from "./check.ts";
import { defineContract, on } from "./contract.ts";
import type { OperationTree } from "./operation.ts";

const head = { summary: "Keeps a desk.", version: "1.0.0" };
const name = t.Object({ name: t.String() });

/** The places found wrong with a contract that is `head` and these parts, and the whole error. */
function offencesOf(spec: object, service = "desk"): { places: string[]; message: string } {
  try {
    defineContract(service, { ...head, ...spec });
  } catch (error) {
    assert(isBanyanError(error, "CONTRACT_INVALID"), String(error));
    // Details of this code are its offences.
    const offences = error.details?.["offences"] as readonly Offence[];
    for (const { message, fix } of offences) assert.ok(message !== "" && fix !== "");
    return { places: offences.map(({ place }) => place), message: error.message };
  }
  return { places: [], message: "" };
}

const bell = defineContract("bell", { ...head, events: { rung: name } });
const subscribing = (options: object): object => ({
  subscriptions: { s: on(bell, "rung", options) },
});
const operation = (spec: object): object => ({ operations: { op: { summary: "Op.", ...spec } } });

test("a contract that uses everything is accepted, frozen and complete", () => {
  const other = defineContract("other", head);
  const contract = defineContract("desk", {
    ...head,
    layer: "L2",
    config: t.Object({ step: t.Integer({ default: 1 }) }),
    stores: { notes: { value: name, durability: "durable", version: 2, upgrade: { 1: (v) => v } } },
    events: { rung: name, told: { payload: name, orderedBy: "/name" } },
    operations: {
      ring: { summary: "Ring.", request: name, response: name, errors: ["DESK_SHUT"] },
      admin: { stop: { summary: "Stop.", request: name, access: { owner: "/name" } } },
      page: { summary: "Page.", http: { method: "GET", path: "/desk/:id", exchange: "raw" } },
      stream: { summary: { summary: "An operation named summary in a group named stream." } },
    },
    subscriptions: {
      plain: on(bell, "rung"),
      other: on(bell, "rung", {
        retriesMax: 0,
        backoff: { initialMs: 60_000, maxMs: 86_400_000, factor: 1, jitter: "none" },
        deadlineMs: 86_400_000,
        retentionMs: 1000,
        bufferMax: 1,
      }),
    },
    optional: { other },
    extensionPoints: { onRing: { kind: "listener", summary: "Rings.", event: "rung" } },
    errors: { DESK_SHUT: { kind: "aborted", summary: "Shut." } },
  });
  assert.equal(contract.layer, "L2");
  assert.equal(contract.errors.DESK_SHUT("Shut.").kind, "aborted");
  const { plain } = contract.spec.subscriptions;
  assert.deepEqual(plain, {
    contract: bell,
    event: "rung",
    delivery: "group",
    concurrency: 16,
    retriesMax: 5,
  });
  assert.ok(Object.isFrozen(contract) && Object.isFrozen(contract.spec));
  assert.equal(defineContract("plain", head).layer, "L4");
});

test("every offence of a contract stands in one report, with its place and its fix", () => {
  const { message } = offencesOf(
    {
      summary: " ",
      version: "1",
      layer: "L9",
      operations: {
        greet: { summary: "Greet.", request: name, access: { owner: "/nam" }, deadlineMs: 0 },
      },
      events: { told: { payload: name, orderedBy: "/nme" } },
    },
    "Desk",
  );
  assert.equal(
    message,
    `The contract "Desk" has 7 offences:
  Desk: "Desk" is not a service name.
    fix: Use 1 to 48 lower-case letters and digits, words joined by hyphens: game-session.
  Desk.summary: There is no summary.
    fix: Say in one line what the service does.
  Desk.version: "1" is not SemVer.
    fix: Write it as "1.0.0".
  Desk.layer: "L9" is not a layer.
    fix: Use "L0" … "L5"; see the glossary.
  Desk.operations.greet.deadlineMs: 0 is out of bounds.
    fix: Use an integer of 1 to 3600000.
  Desk.operations.greet.access.owner: The request has no field at "/nam".
    fix: Point at a string field of the request, such as /accountId.
  Desk.events.told.orderedBy: The payload has no field at "/nme".
    fix: Point at a field of the payload.`,
  );
});

const wrong: readonly (readonly [title: string, spec: object, place: string])[] = [
  ["a name of the configuration file", {}, "http"],
  [
    "a config key every section has",
    { config: t.Object({ enabled: t.Boolean() }) },
    ".config.enabled",
  ],
  ["a config key in another alphabet", { config: t.Object({ "a-b": t.Null() }) }, ".config.a-b"],
  ["an operation in another alphabet", { operations: { Op: { summary: "x" } } }, ".operations.Op"],
  ["a client method of promises", { operations: { then: { summary: "x" } } }, ".operations.then"],
  [
    "a method every object has",
    { operations: { toString: { summary: "x" } } },
    ".operations.toString",
  ],
  ["an operation without a summary", { operations: { op: { request: name } } }, ".operations.op"],
  ["an operation that is a function", { operations: { op: () => 1 } }, ".operations.op"],
  ["an empty group", { operations: { group: {} } }, ".operations.group"],
  ["a member that is nothing", { operations: { g: { op: null } } }, ".operations.g"],
  ["an empty summary", operation({ summary: " " }), ".operations.op.summary"],
  ["a schema that is none", operation({ request: { type: "strange" } }), ".operations.op.request"],
  ["a response and a stream", operation({ response: name, stream: name }), ".operations.op"],
  [
    "a schema beside a raw exchange",
    operation({ request: name, http: { method: "GET", path: "/x", exchange: "raw" } }),
    ".operations.op",
  ],
  ...["x", "/", "/a//b", "/a/", "/a?b", "/a b", "/:A", "/a/:id/:id", "/readyz"].map(
    (path) =>
      [
        `the path ${path}`,
        operation({ http: { method: "GET", path, exchange: "raw" } }),
        ".operations.op.http.path",
      ] as const,
  ),
  [
    "a limit that is no number",
    operation({ concurrencyMax: "5" }),
    ".operations.op.concurrencyMax",
  ],
  [
    "more frames ahead than may be",
    operation({ stream: name, streamAhead: 65_536 }),
    ".operations.op.streamAhead",
  ],
  ["frames ahead of no stream", operation({ streamAhead: 0 }), ".operations.op.streamAhead"],
  [
    "a limit beyond bounds",
    operation({ payloadBytesMax: 2 ** 31 }),
    ".operations.op.payloadBytesMax",
  ],
  ["an access word that is none", operation({ access: "public" }), ".operations.op.access"],
  ["an empty list of rules", operation({ access: [] }), ".operations.op.access"],
  [
    "a resource without a request",
    operation({ access: { resource: "/id" } }),
    ".operations.op.access.resource",
  ],
  ["an undeclared error", operation({ errors: ["DESK_SHT"] }), ".operations.op.errors"],
  [
    "an error code in another case",
    { errors: { shut: { kind: "aborted", summary: "" } } },
    ".errors.shut",
  ],
  [
    "an error code of the platform",
    { errors: { INTERNAL: { kind: "internal", summary: "" } } },
    ".errors.INTERNAL",
  ],
  ["an error kind that is none", { errors: { A: { kind: "odd", summary: "" } } }, ".errors.A.kind"],
  [
    "an error with a status of success",
    { errors: { A: { kind: "aborted", summary: "", http: 200 } } },
    ".errors.A.http",
  ],
  ["a misspelt part", { evnts: {} }, ".evnts"],
  ["a misspelt key of an operation", operation({ acess: "anonymous" }), ".operations.op.acess"],
  [
    "a misspelt permission, which would leave it open",
    operation({ request: name, access: [{ permision: "desk.use", resource: "/name" }] }),
    ".operations.op.access.permision",
  ],
  ["a word in a list of rules", operation({ access: ["anonymous"] }), ".operations.op.access"],
  [
    "a misspelt key of a store",
    { stores: { s: { value: name, durability: "ephemeral", expire: true } } },
    ".stores.s.expire",
  ],
  [
    "a misspelt key of an event",
    { events: { e: { payload: name, orderBy: "/name" } } },
    ".events.e.orderBy",
  ],
  ["a store without durability", { stores: { s: { value: name } } }, ".stores.s.durability"],
  [
    "a version nothing lifts",
    { stores: { s: { value: name, durability: "ephemeral", version: 2 } } },
    ".stores.s.upgrade",
  ],
  ["a version that is none", { events: { e: { payload: name, version: 0 } } }, ".events.e.version"],
  [
    "a payload with a field of ours",
    { events: { e: t.Object({ eventId: t.String() }) } },
    ".events.e.payload/eventId",
  ],
  ["a misspelt key of a subscription", subscribing({ retryMax: 1 }), ".subscriptions.s.retryMax"],
  [
    "handlers that never end",
    subscribing({ deadlineMs: 86_400_001 }),
    ".subscriptions.s.deadlineMs",
  ],
  ["half a handler", subscribing({ concurrency: 1.5 }), ".subscriptions.s.concurrency"],
  ["no number of retries", subscribing({ retriesMax: Number.NaN }), ".subscriptions.s.retriesMax"],
  ["a buffer for nothing", subscribing({ bufferMax: 0 }), ".subscriptions.s.bufferMax"],
  ["a retention in seconds", subscribing({ retentionMs: 60 }), ".subscriptions.s.retentionMs"],
  [
    "a retention of a broadcast",
    subscribing({ delivery: "broadcast", retentionMs: 60_000 }),
    ".subscriptions.s.retentionMs",
  ],
  ["a delivery that is none", subscribing({ delivery: "topic" }), ".subscriptions.s.delivery"],
  ["a backoff that is a number", subscribing({ backoff: 5 }), ".subscriptions.s.backoff"],
  ["a backoff that is nothing", subscribing({ backoff: null }), ".subscriptions.s.backoff"],
  [
    "a misspelt key of a backoff",
    subscribing({ backoff: { initial: 5 } }),
    ".subscriptions.s.backoff.initial",
  ],
  [
    "waits that become shorter",
    subscribing({ backoff: { factor: 0.5 } }),
    ".subscriptions.s.backoff.factor",
  ],
  [
    "a first wait that the longest one cuts",
    subscribing({ backoff: { initialMs: 60_000 } }),
    ".subscriptions.s.backoff.initialMs",
  ],
  [
    "a wait of more than a day",
    subscribing({ backoff: { maxMs: 86_400_001 } }),
    ".subscriptions.s.backoff.maxMs",
  ],
  [
    "a jitter that is none",
    subscribing({ backoff: { jitter: "half" } }),
    ".subscriptions.s.backoff.jitter",
  ],
  ["a payload that is no object", { events: { e: t.String() } }, ".events.e.payload"],
  [
    "a listener of an unknown event",
    { extensionPoints: { p: { kind: "listener", summary: "", event: "e" } } },
    ".extensionPoints.p.event",
  ],
  ["a use in another alphabet", { uses: { "a-b": {} } }, ".uses.a-b"],
  ["an optional use in another alphabet", { optional: { "a-b": {} } }, ".optional.a-b"],
  ["a use that is optional as well", { uses: { a: {} }, optional: { a: {} } }, ".optional.a"],
];

for (const [title, spec, place] of wrong) {
  test(`a contract is refused for ${title}`, () => {
    const service = place.startsWith(".") ? "desk" : place;
    const { places } = offencesOf(spec, service);
    assert.deepEqual(places, [place.startsWith(".") ? `desk${place}` : place]);
  });
}

test("a schema of another library without its JSON Schema is an offence, not a crash", () => {
  const odd = {
    "~standard": { version: 1, vendor: "odd", validate: (value: unknown) => ({ value }) },
  };
  const { places } = offencesOf({
    events: { e: odd },
    operations: { op: { summary: "Op.", request: odd, access: { owner: "/id" } } } as OperationTree,
  });
  assert.deepEqual(places, [
    "desk.operations.op.request",
    "desk.operations.op.access.owner",
    "desk.events.e.payload",
  ]);
});
