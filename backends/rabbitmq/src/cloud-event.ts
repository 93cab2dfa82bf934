/**
 * CloudEvents 1.0 on AMQP 0-9-1 (decision 0062). Written: the binary content mode, attributes as
 * headers. Read: that, and the structured mode in JSON, from whomever.
 */

import type { MessageProperties } from "amqplib";
import type { OutgoingMessage } from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";
import { own, textOf } from "./own-headers.ts";

/** Of version 1.0.2 of the AMQP binding. What follows it knows the other one too. */
const prefix = "cloudEvents:";
const otherPrefix = "cloudEvents_";

const required = ["specversion", "id", "source", "type"] as const;

/** Attributes that are not shown to a handler: a message has a place of its own for them. */
const placed: ReadonlySet<string> = new Set([
  ...required,
  "time",
  "partitionkey",
  "datacontenttype",
  "data",
  "data_base64",
]);

/** As many as an AMQP `message_id` may have. */
const idBytesMax = 255;

/** RFC 3339, in upper case; its years are 0 … 9999. */
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)$/;
const timeMinMs = -62_167_219_200_000;
const timeMaxMs = 253_402_300_799_999;

const uriReference = /^[\w\-.~:/?#[\]@!$&'()*+,;=%]+$/;
const base64 = /^[A-Za-z0-9+/]*={0,2}$/;
const structuredTypes = "application/cloudevents";
const structuredJson = "application/cloudevents+json";

type Attributes = Readonly<Record<string, unknown>>;

/** What a CloudEvent says, in the bus's words; `undefined`: it does not say it. */
export interface EventParts {
  readonly id: string | undefined;
  readonly source: string | undefined;
  readonly timestampMs: number | undefined;
  readonly orderingKey: string | undefined;
  /** All other attributes, as `ce-<name>`; `ce-type` where it is not the topic. */
  readonly headers: Readonly<Record<string, string>>;
  /** The text of a damaged one. */
  readonly body: unknown;
  readonly damage: Error | undefined;
}

/** What may be a CloudEvent. */
export interface EventInput {
  readonly content: Buffer;
  readonly properties: MessageProperties;
  readonly topic: string;
}

/** A header that carries an attribute. */
export function isAttribute(header: string): boolean {
  return header.startsWith(prefix) || header.startsWith(otherPrefix);
}

/** Writes a message's attributes; what they cannot carry exactly stands in our own headers too. */
export function writeAttributes(
  headers: Record<string, string | number>,
  { id, topic, timestampMs, orderingKey, headers: { source } }: OutgoingMessage,
): void {
  const isUri = uriReference.test(source);
  headers[`${prefix}specversion`] = "1.0";
  headers[`${prefix}id`] = id;
  headers[`${prefix}source`] = isUri ? source : `/${encodeURIComponent(source.toWellFormed())}`;
  headers[`${prefix}type`] = topic;
  if (!isUri) headers[own.source] = source;
  const hasTime = timestampMs >= timeMinMs && timestampMs <= timeMaxMs;
  if (hasTime) headers[`${prefix}time`] = new Date(timestampMs).toISOString();
  if (!hasTime || !Number.isInteger(timestampMs)) headers[own.timestamp] = timestampMs;
  if (orderingKey === undefined) return;
  if (orderingKey === "") headers[own.key] = orderingKey;
  else headers[`${prefix}partitionkey`] = orderingKey;
}

/** `undefined`: it does not say that it is one. Whatever it is, it can be read. */
export function readEvent({ content, properties, topic }: EventInput): EventParts | undefined {
  const contentType = mediaTypeOf(properties.contentType);
  if (contentType.startsWith(structuredTypes)) {
    const { attributes, damage } = openEnvelope(content, contentType);
    return partsOf(attributes, { topic, content, damage, read: () => dataIn(attributes) });
  }
  const attributes = attributesIn(properties.headers ?? {});
  if (attributes === undefined) return undefined;
  const read = (): unknown => (content.length === 0 ? null : dataOf(content, contentType));
  return partsOf(attributes, { topic, content, damage: undefined, read });
}

/** One event has one prefix: its first one. */
function attributesIn(headers: Attributes): Attributes | undefined {
  const entries = Object.entries(headers).filter(([name]) => isAttribute(name));
  const [first] = entries;
  if (first === undefined) return undefined;
  const its = first[0].startsWith(prefix) ? prefix : otherPrefix;
  const own = entries.filter(([name]) => name.startsWith(its));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(its.length), value]));
}

function openEnvelope(
  content: Buffer,
  contentType: string,
): { readonly attributes: Attributes; readonly damage: Error | undefined } {
  if (contentType !== structuredJson) {
    const damage = malformed(`of the structured formats only ${structuredJson} is read`);
    return { attributes: {}, damage };
  }
  try {
    const envelope: unknown = JSON.parse(content.toString("utf8"));
    if (typeof envelope === "object" && envelope !== null && !Array.isArray(envelope)) {
      // Whatever has keys is attributes by name.
      return { attributes: envelope as Attributes, damage: undefined };
    }
    return { attributes: {}, damage: malformed("it is no JSON object") };
  } catch (cause) {
    return { attributes: {}, damage: malformed("it is no JSON object", cause) };
  }
}

interface Reading {
  readonly topic: string;
  readonly content: Buffer;
  /** Found before the attributes were looked at. */
  readonly damage: Error | undefined;
  /** @throws MESSAGING_EVENT_UNREADABLE */
  readonly read: () => unknown;
}

function partsOf(attributes: Attributes, { topic, content, damage, read }: Reading): EventParts {
  const { id, source, type, time, partitionkey } = attributes;
  const timestampMs = millisecondsOf(time);
  const headers: Record<string, string> = {};
  for (const name in attributes) {
    const value = attributes[name];
    if (!placed.has(name) && value !== null) headers[`ce-${name}`] = textOf(value);
  }
  if (typeof type === "string" && type !== topic) headers["ce-type"] = type;
  const known = {
    id: isId(id) ? id : undefined,
    source: isText(source) ? source : undefined,
    timestampMs,
    orderingKey: isText(partitionkey) ? partitionkey : undefined,
    headers,
  };
  try {
    const found = damage ?? findFault(attributes, timestampMs);
    if (found !== undefined) throw found;
    return { ...known, body: read(), damage: undefined };
  } catch (error) {
    const why = error instanceof Error ? error : malformed(String(error));
    return { ...known, body: content.toString("utf8"), damage: why };
  }
}

function findFault(attributes: Attributes, timestampMs: number | undefined): Error | undefined {
  const { specversion, id, time } = attributes;
  for (const name of required) {
    const value = attributes[name];
    if (isUnset(value)) return malformed(`it has no ${name}`);
    if (!isText(value)) return malformed(`its ${name} is empty, or no text`);
  }
  if (specversion !== "1.0") return malformed("its specversion is not 1.0");
  if (!isId(id)) return malformed(`its id has more than ${idBytesMax} bytes`);
  if (isUnset(time) || timestampMs !== undefined) return undefined;
  return malformed("its time is not written as in 2026-01-31T09:30:00Z");
}

/** Of the JSON format. */
function dataIn({ data, data_base64: encoded, datacontenttype }: Attributes): unknown {
  if (isUnset(encoded)) return data ?? null;
  if (data !== undefined) throw malformed("it has both data and data_base64");
  if (typeof encoded !== "string" || !base64.test(encoded)) {
    throw malformed("its data_base64 is not Base64");
  }
  return dataOf(Buffer.from(encoded, "base64"), mediaTypeOf(datacontenttype));
}

/** JSON unless the type says otherwise; any other text is a body too. */
function dataOf(bytes: Buffer, mediaType: string): unknown {
  if (mediaType === "" || /[/+]json$/.test(mediaType)) {
    try {
      return JSON.parse(bytes.toString("utf8"));
    } catch (cause) {
      throw malformed("its data is not JSON", cause);
    }
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw malformed("its data is neither JSON nor text in UTF-8", cause);
  }
}

/** RFC 3339, or AMQP's own timestamp, which has seconds. */
function millisecondsOf(time: unknown): number | undefined {
  if (typeof time === "string") {
    const text = time.toUpperCase();
    const ms = rfc3339.test(text) ? Date.parse(text) : Number.NaN;
    return Number.isNaN(ms) ? undefined : ms;
  }
  if (typeof time !== "object" || time === null || !("value" in time)) return undefined;
  return typeof time.value === "number" ? time.value * 1000 : undefined;
}

function mediaTypeOf(contentType: unknown): string {
  if (contentType === "application/json") return contentType; // what almost all are
  if (typeof contentType !== "string") return "";
  const [type = ""] = contentType.split(";", 1);
  return type.trim().toLowerCase();
}

function isUnset(value: unknown): boolean {
  return value === undefined || value === null;
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "";
}

function isId(value: unknown): value is string {
  return isText(value) && Buffer.byteLength(value) <= idBytesMax;
}

function malformed(why: string, cause?: unknown): Error {
  return messagingErrors.MESSAGING_EVENT_UNREADABLE(`The CloudEvent is malformed: ${why}.`, {
    cause,
  });
}
