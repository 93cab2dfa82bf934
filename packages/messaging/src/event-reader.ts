/**
 * A received message as the event its subscriber's contract knows.
 *
 * Tolerant: fields that the reader's schema does not name are dropped, so a newer publisher is
 * understood. An older payload is lifted by the contract's `upgrade` functions first. What still
 * does not fit can never fit later: MESSAGING_EVENT_UNREADABLE makes it a dead letter at once.
 */

import type { AnyContract, EventOf } from "@banyan/kernel";
import { Codec, eventSpecOf, nearest } from "@banyan/kernel/internal";
import type { Message } from "./bus.ts";
import { messagingErrors } from "./errors.ts";
import { copyJson } from "./json-value.ts";
import { topicOf } from "./publisher.ts";

/** Answers a fresh object; throws MESSAGING_EVENT_UNREADABLE. */
export type EventReader = (message: Message) => EventOf<Readonly<Record<string, unknown>>>;

/** @throws MESSAGING_SUBSCRIPTION_INVALID when the contract does not declare the event */
export function createEventReader(contract: AnyContract, event: string): EventReader {
  const declared = contract.spec.events?.[event];
  const topic = topicOf(contract, event);
  if (declared === undefined) {
    const known = nearest(event, Object.keys(contract.spec.events ?? {}));
    const hint = known === undefined ? "" : `; did you mean "${known}"?`;
    throw messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(
      `The contract "${contract.name}" declares no event "${event}"${hint || "."}`,
    );
  }
  const { payload, version = 1, upgrade = {} } = eventSpecOf(declared);
  const codec = new Codec(payload, {
    what: `Event ${topic}`,
    refuse: messagingErrors.MESSAGING_EVENT_UNREADABLE,
  });
  const dropsOurs = dropsUnknownFields(payload);
  return (message) => {
    const { id, body, headers, timestampMs } = message;
    if (!isFields(body)) throw unreadable(topic, "its body is not an object");
    const { timestamp } = body;
    const written = versionOf(headers.schemaVersion, topic);
    const lifted =
      written < version
        ? lift(copyJson(withoutOurs(body)), { from: written, to: version, upgrade, topic })
        : dropsOurs
          ? body
          : withoutOurs(body);
    const read = codec.parse(lifted, "tolerant");
    if (!isFields(read)) throw unreadable(topic, "its payload is not an object");
    read["eventId"] = id;
    read["timestamp"] =
      typeof timestamp === "string" ? timestamp : new Date(timestampMs).toISOString();
    // The fields of the payload with ours beside them.
    return read as ReturnType<EventReader>;
  };
}

/** Words of a schema that say nothing about fields it does not name. */
const plainWords = new Set(["type", "properties", "required", "title", "description", "$id"]);

/** True where the tolerant reader drops our own fields unseen: then no copy without is needed. */
function dropsUnknownFields(payload: unknown): boolean {
  if (typeof payload !== "object" || payload === null || !("properties" in payload)) return false;
  return Object.keys(payload).every((word) => plainWords.has(word));
}

function withoutOurs({
  eventId: _id,
  timestamp: _timestamp,
  ...fields
}: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return fields;
}

interface Lift {
  readonly from: number;
  readonly to: number;
  readonly upgrade: Readonly<Record<number, (old: unknown) => unknown>>;
  readonly topic: string;
}

function lift(payload: unknown, { from, to, upgrade, topic }: Lift): unknown {
  let lifted = payload;
  for (let version = from; version < to; version += 1) {
    const step = upgrade[version];
    if (step === undefined) {
      throw unreadable(topic, `its contract has no upgrade from version ${version}`);
    }
    try {
      lifted = step(lifted);
    } catch (error) {
      throw unreadable(topic, `the upgrade from version ${version} failed`, error);
    }
  }
  return lifted;
}

function versionOf(text: string | undefined, topic: string): number {
  if (text === "1") return 1;
  const version = text === undefined ? 1 : Number(text);
  if (Number.isInteger(version) && version >= 1) return version;
  throw unreadable(topic, `its schema version "${text}" is not a whole number from 1`);
}

function unreadable(topic: string, why: string, cause?: unknown): Error {
  return messagingErrors.MESSAGING_EVENT_UNREADABLE(`An event of ${topic} was not read: ${why}.`, {
    cause,
  });
}

function isFields(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
