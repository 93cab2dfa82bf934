/**
 * The rules of a single contract, checked when it is defined. Every offence is collected, with its
 * place and its fix; what needs other contracts is checked by the node's plan (`plan.ts`).
 */

import { BanyanError } from "../errors/banyan-error.ts";
import { isReservedServiceKey } from "../config/sections.ts";
import { kernelErrors } from "../errors/kernel-errors.ts";
import { isErrorKind } from "../errors/kinds.ts";
import { compileSchema } from "../schema/compile.ts";
import type { JsonSchema } from "../schema/json-schema.ts";
import { nearest } from "../schema/nearest.ts";
import { toJsonSchema } from "../schema/standard.ts";
import { describesObject, hasField } from "./schema-path.ts";
import type { Schema } from "../schema/standard.ts";
import { subscriptionOffences } from "./check-subscription.ts";
import type { ContractSpec, EventSpec, LockSpec, StoreSpec } from "./contract-spec.ts";
import { eventSpecOf } from "./event-spec.ts";
import { unknownKeys } from "./known-keys.ts";
import { isLayer } from "./layers.ts";
import type { Offence } from "./offence.ts";
import type { AccessRule, HttpExchange, NamedOperation, OperationSpec } from "./operation.ts";
import { listMalformed, listOperations } from "./operation.ts";

export type { Offence } from "./offence.ts";

type Report = (place: string, message: string, fix: string) => void;

const namePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const memberPattern = /^[a-z][A-Za-z0-9]*$/;
const codePattern = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/;
const pathPattern = /^(?:\/(?:[A-Za-z0-9._~-]+|:[a-z][A-Za-z0-9]*))+$/;
const versionPattern = /^\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?$/;

/** Names that a service may not take: their variables would be those of a section. */
const reservedServiceNames = ["http", "log", "engines", "enable", "limits", "services"];

/** Paths the node answers itself, with `GET`. */
const reservedPaths = ["/healthz", "/readyz", "/metrics", "/openapi.json", "/docs"];

/** @throws CONTRACT_INVALID with all offences of one contract. */
export function checkContract(name: string, spec: ContractSpec): void {
  const offences: Offence[] = [];
  const report: Report = (place, message, fix) => {
    offences.push({ place: place === "" ? name : `${name}.${place}`, message, fix });
  };
  checkKeys("", ["contract", spec], report);
  checkHead(name, spec, report);
  checkNames(spec, report);
  checkErrors(spec, report);
  for (const malformed of listMalformed(spec.operations ?? {})) {
    report(
      `operations.${malformed}`,
      "It is neither an operation, which has a summary, nor a group of operations.",
      "Give it a summary, or remove it.",
    );
  }
  for (const operation of listOperations(spec.operations ?? {})) {
    checkOperation(operation, spec, report);
  }
  for (const [key, store] of Object.entries(spec.stores ?? {})) checkStore(key, store, report);
  for (const [key, lock] of Object.entries(spec.locks ?? {})) {
    checkKeys(`locks.${key}`, ["lock", lock], report);
    checkDurability(`locks.${key}`, lock, report);
  }
  for (const [key, event] of Object.entries(spec.events ?? {})) {
    checkEvent(key, eventSpecOf(event), report);
  }
  for (const [key, subscription] of Object.entries(spec.subscriptions ?? {})) {
    for (const { place, message, fix } of subscriptionOffences(subscription)) {
      report(`subscriptions.${key}${place}`, message, fix);
    }
  }
  for (const key of Object.keys(spec.extensionPoints ?? {})) checkPoint(key, spec, report);
  if (offences.length > 0)
    throw offencesError("CONTRACT_INVALID", `The contract "${name}"`, offences);
}

/** One error that lists every offence; the same form for contracts and for a node's plan. */
export function offencesError(
  code: "CONTRACT_INVALID" | "NODE_PLAN_INVALID",
  subject: string,
  offences: readonly Offence[],
): BanyanError {
  const lines = offences.map(
    ({ place, message, fix }) => `  ${place}: ${message}\n    fix: ${fix}`,
  );
  const count = offences.length === 1 ? "1 offence" : `${offences.length} offences`;
  return new BanyanError({
    kind: "failed_precondition",
    code,
    message: `${subject} has ${count}:\n${lines.join("\n")}`,
    details: { offences },
  });
}

/** A misspelt key would otherwise be as good as left out. */
function checkKeys(
  place: string,
  [part, spec]: readonly [part: Parameters<typeof unknownKeys>[0], spec: object],
  report: Report,
): void {
  for (const { key, fix } of unknownKeys(part, spec)) {
    const inside = place === "" ? key : `${place}.${key}`;
    report(inside, `"${key}" is not a key of this part of a contract.`, fix);
  }
}

function checkHead(name: string, spec: ContractSpec, report: Report): void {
  if (!namePattern.test(name) || name.length > 48) {
    report(
      "",
      `"${name}" is not a service name.`,
      "Use 1 to 48 lower-case letters and digits, words joined by hyphens: game-session.",
    );
  } else if (reservedServiceNames.includes(name)) {
    report("", `"${name}" is a section of banyan.yaml.`, "Choose another name for the service.");
  }
  if (typeof spec.summary !== "string" || spec.summary.trim() === "") {
    report("summary", "There is no summary.", "Say in one line what the service does.");
  }
  if (!versionPattern.test(spec.version)) {
    report("version", `"${spec.version}" is not SemVer.`, 'Write it as "1.0.0".');
  }
  if (spec.layer !== undefined && !isLayer(spec.layer)) {
    report(
      "layer",
      `"${String(spec.layer)}" is not a layer.`,
      'Use "L0" … "L5"; see the glossary.',
    );
  }
  if (spec.config === undefined) return;
  checkSchema("config", spec.config, report);
  for (const key of Object.keys(spec.config.properties ?? {})) {
    if (isReservedServiceKey(key)) {
      report(
        `config.${key}`,
        `"${key}" is a key that every service's section has already.`,
        "Rename it.",
      );
    } else checkMember(`config.${key}`, key, report);
  }
}

/** Names become URL segments, topics, environment variables and client methods: one alphabet. */
function checkMember(place: string, name: string, report: Report): void {
  if (memberPattern.test(name) && name.length <= 64) {
    // A client with a method `then` would be taken for a promise; the others every object has.
    if (name !== "then" && !(name in Object.prototype)) return;
    report(place, `"${name}" has a meaning in JavaScript.`, "Choose another name.");
    return;
  }
  report(place, `"${name}" cannot be a name here.`, "Use 1 to 64 letters and digits in camelCase.");
}

function checkNames(spec: ContractSpec, report: Report): void {
  const parts = [
    "stores",
    "locks",
    "events",
    "subscriptions",
    "extensionPoints",
    "extensions",
  ] as const;
  for (const part of parts) {
    for (const key of Object.keys(spec[part] ?? {})) checkMember(`${part}.${key}`, key, report);
  }
  for (const operation of listOperations(spec.operations ?? {})) {
    for (const segment of operation.segments) {
      checkMember(`operations.${operation.name}`, segment, report);
    }
  }
  const soft = Object.keys(spec.optional ?? {});
  for (const key of Object.keys(spec.uses ?? {})) {
    checkMember(`uses.${key}`, key, report);
    if (soft.includes(key)) {
      report(`optional.${key}`, `"${key}" is in uses as well.`, "Keep it in one of the two.");
    }
  }
  for (const key of soft) checkMember(`optional.${key}`, key, report);
}

function checkErrors(spec: ContractSpec, report: Report): void {
  for (const [code, error] of Object.entries(spec.errors ?? {})) {
    const place = `errors.${code}`;
    if (!codePattern.test(code)) {
      report(place, `"${code}" is not a code.`, "Write it in UPPER_SNAKE: DESK_CLOSED.");
    } else if (Object.hasOwn(kernelErrors, code)) {
      report(place, `"${code}" is a code of the platform.`, "Begin it with the service's name.");
    }
    if (!isErrorKind(error.kind)) {
      report(
        `${place}.kind`,
        `"${String(error.kind)}" is not a kind.`,
        "Use one of errorKinds, such as not_found.",
      );
    }
    const { http = 400 } = error;
    if (!Number.isInteger(http) || http < 400 || http > 599) {
      report(
        `${place}.http`,
        `${String(http)} is no status of an error.`,
        "Use 400 to 599, or leave it out for the status of its kind.",
      );
    }
  }
}

function checkOperation(operation: NamedOperation, spec: ContractSpec, report: Report): void {
  const place = `operations.${operation.name}`;
  const { request, response, stream, http, summary } = operation.spec;
  checkKeys(place, ["operation", operation.spec], report);
  if (http !== undefined) checkKeys(`${place}.http`, ["http", http], report);
  if (summary.trim() === "") {
    report(`${place}.summary`, "The summary is empty.", "Say in one line what it does.");
  }
  if (request !== undefined) checkSchema(`${place}.request`, request, report);
  if (response !== undefined) checkSchema(`${place}.response`, response, report);
  if (stream !== undefined) checkSchema(`${place}.stream`, stream, report);
  if (http !== undefined && (request ?? response ?? stream) !== undefined) {
    report(
      place,
      "A raw HTTP exchange has no request, response or stream schema.",
      "Remove the schemas, or remove http.",
    );
  }
  if (stream !== undefined && response !== undefined) {
    report(place, "It declares a response and a stream.", "Keep one of the two.");
  }
  if (http !== undefined) checkPath(`${place}.http.path`, http, report);
  checkBounds(place, operation.spec, report);
  checkAccess(place, operation.spec, report);
  for (const code of operation.spec.errors ?? []) {
    const known = Object.keys(spec.errors ?? {});
    if (!known.includes(code)) {
      const meant = nearest(code, known);
      report(
        `${place}.errors`,
        `The contract declares no error "${code}".`,
        meant === undefined ? "Add it to the contract's errors." : `Did you mean ${meant}?`,
      );
    }
  }
}

function checkPath(place: string, http: HttpExchange, report: Report): void {
  const { method, path } = http;
  if (!pathPattern.test(path)) {
    report(place, `"${path}" is not a path.`, "Write it as /join/:code.");
    return;
  }
  if (method === "GET" && reservedPaths.includes(path)) {
    report(place, `The node answers GET ${path} itself.`, "Choose another path.");
  }
  const names = path.split("/").filter((segment) => segment.startsWith(":"));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    report(place, `"${path}" names ${twice} twice.`, "Give each segment its own name.");
  }
}

function checkBounds(place: string, spec: OperationSpec, report: Report): void {
  for (const [key, min, max] of [
    ["deadlineMs", 1, 3_600_000],
    ["payloadBytesMax", 1, 2 ** 30],
    ["concurrencyMax", 1, 1_000_000],
    ["streamAhead", 0, 65_535],
  ] as const) {
    const value: unknown = spec[key];
    if (value === undefined) continue;
    if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max)
      continue;
    report(
      `${place}.${key}`,
      `${JSON.stringify(value)} is out of bounds.`,
      `Use an integer of ${min} to ${max}.`,
    );
  }
  if (spec.streamAhead !== undefined && spec.stream === undefined) {
    report(`${place}.streamAhead`, "The operation has no stream.", "Remove it, or add a stream.");
  }
}

const accessWords = ["internal", "anonymous", "authenticated"];

function checkAccess(operation: string, spec: OperationSpec, report: Report): void {
  const place = `${operation}.access`;
  const { access, request } = spec;
  if (access === undefined) return;
  if (typeof access === "string") {
    if (accessWords.includes(access)) return;
    const fix = `Use ${accessWords.map((word) => `"${word}"`).join(", ")} or a rule.`;
    report(place, `"${String(access)}" is not a kind of access.`, fix);
    return;
  }
  // Array.isArray does not narrow a readonly array out of a union.
  const rules = Array.isArray(access) ? (access as readonly AccessRule[]) : [access as AccessRule];
  if (rules.length === 0) {
    report(
      place,
      "The list of rules is empty: nobody could call.",
      'Say "internal", or add a rule.',
    );
  }
  for (const rule of rules) {
    if (typeof rule !== "object" || rule === null) {
      report(place, `${JSON.stringify(rule)} is not a rule.`, 'Write it as { permission: "…" }.');
      continue;
    }
    checkKeys(place, ["rule", rule], report);
    for (const key of ["resource", "owner"] as const) {
      const pointer = rule[key];
      if (pointer === undefined) continue;
      const schema = request === undefined ? undefined : jsonSchemaOf(request);
      if (schema !== undefined && hasField(schema, pointer)) continue;
      report(
        `${place}.${key}`,
        `The request has no field at "${pointer}".`,
        "Point at a string field of the request, such as /accountId.",
      );
    }
  }
}

function checkStore(key: string, store: StoreSpec, report: Report): void {
  const place = `stores.${key}`;
  checkKeys(place, ["store", store], report);
  checkSchema(`${place}.value`, store.value, report);
  checkVersions(place, store, report);
  checkDurability(place, store, report);
  const { scoped = false, capabilities = [] } = store;
  if (scoped && capabilities.includes("transaction")) {
    report(
      `${place}.capabilities`,
      "A scoped store takes no part in transactions.",
      'Leave out "transaction", or "scoped".',
    );
  }
}

function checkEvent(key: string, event: EventSpec, report: Report): void {
  const place = `events.${key}`;
  checkKeys(place, ["event", event], report);
  checkSchema(`${place}.payload`, event.payload, report);
  checkVersions(place, event, report);
  checkDurability(place, event, report);
  const schema = jsonSchemaOf(event.payload);
  if (schema === undefined) return;
  if (!describesObject(schema)) {
    report(
      `${place}.payload`,
      "The payload is not an object, so eventId and timestamp cannot stand beside its fields.",
      "Wrap it in t.Object.",
    );
  }
  for (const own of ["/eventId", "/timestamp"]) {
    if (hasField(schema, own)) {
      report(
        `${place}.payload${own}`,
        `Every event has ${own.slice(1)} beside its payload already.`,
        "Rename the field.",
      );
    }
  }
  if (event.orderedBy !== undefined && !hasField(schema, event.orderedBy)) {
    report(
      `${place}.orderedBy`,
      `The payload has no field at "${event.orderedBy}".`,
      "Point at a field of the payload.",
    );
  }
}

/** Only a store must say it; an event and a lock are durable where it is left out. */
function checkDurability(
  place: string,
  spec: StoreSpec | EventSpec | LockSpec,
  report: Report,
): void {
  const { durability } = spec;
  if (durability === "durable" || durability === "ephemeral") return;
  if (durability === undefined && !("value" in spec)) return;
  report(
    `${place}.durability`,
    `"${String(durability)}" is not a durability.`,
    'Say "durable" (survives kill -9) or "ephemeral".',
  );
}

function checkVersions(
  place: string,
  spec: Pick<StoreSpec, "version" | "upgrade">,
  report: Report,
): void {
  const { version = 1, upgrade = {} } = spec;
  if (!Number.isInteger(version) || version < 1) {
    report(`${place}.version`, `${version} is not a version.`, "Use 1, 2, 3 …");
    return;
  }
  for (let from = 1; from < version; from += 1) {
    if (typeof upgrade[from] !== "function") {
      report(
        `${place}.upgrade`,
        `Nothing lifts version ${from} to ${from + 1}.`,
        `Add upgrade: { ${from}: (old) => … }.`,
      );
    }
  }
}

function checkPoint(key: string, spec: ContractSpec, report: Report): void {
  const point = spec.extensionPoints?.[key];
  if (point === undefined) return;
  const place = `extensionPoints.${key}`;
  checkKeys(place, ["point", point], report);
  if (point.kind === "provider") {
    checkSchema(`${place}.request`, point.request, report);
    checkSchema(`${place}.response`, point.response, report);
    return;
  }
  const events = Object.keys(spec.events ?? {});
  if (events.includes(point.event)) return;
  const meant = nearest(point.event, events);
  report(
    `${place}.event`,
    `The contract has no event "${point.event}".`,
    meant === undefined ? "Declare the event." : `Did you mean "${meant}"?`,
  );
}

/** `undefined` for a schema that cannot be used; `checkSchema` says why. */
function jsonSchemaOf(schema: Schema): JsonSchema | undefined {
  try {
    return toJsonSchema(schema, "input");
  } catch {
    return undefined;
  }
}

/** A schema that cannot be compiled is found here, not at the first call. */
function checkSchema(place: string, schema: Schema, report: Report): void {
  try {
    compileSchema(schema);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    report(
      place,
      `The schema cannot be used: ${message}.`,
      "Write it with t, or a schema like it.",
    );
  }
}
