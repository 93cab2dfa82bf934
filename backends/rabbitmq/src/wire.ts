/**
 * A message on the wire: the body is the JSON itself, everything else is a property or a header, as
 * strangers expect them, or a CloudEvent. What only the bus needs is in headers that begin with
 * `x-banyan-`.
 */

import type { MessageProperties, Options } from "amqplib";
import type { Message, MessageHeaders, OutgoingMessage } from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";
import { isAttribute, readEvent, writeAttributes } from "./cloud-event.ts";
import type { EventParts } from "./cloud-event.ts";
import { firstPriority, routingKeyMax } from "./names.ts";
import type { MessageFormat } from "./options.ts";
import { isReserved, numberAt, ofMessage, own, textAt, textOf } from "./own-headers.ts";

/** What the bus knows of a message beside the message. */
export interface Passage {
  /** Deliveries to this subscription so far. */
  readonly attempt: number;
  /** Failed ones among them. */
  readonly failures: number;
  /** Wall clock before which it is not handled; 0: at once. */
  readonly dueMs: number;
  /** Why it waits: for another try, or because it was published so. */
  readonly isRetry: boolean;
  /** Wall clock from which its retention counts, where that is not its publication. */
  readonly queuedAtMs: number | undefined;
  /** Of the group when it was sent to wait: another life of the name is not its own. */
  readonly life: string | undefined;
}

export const fresh: Passage = {
  attempt: 0,
  failures: 0,
  dueMs: 0,
  isRetry: false,
  queuedAtMs: undefined,
  life: undefined,
};

/** Where the letter stands that a dead message is. */
export const letterHeader = "x-banyan-letter";

/** Characters that the headers of a bare message may have, each. */
const bareValueMax = 1024;

/**
 * A message on its first way.
 * @throws MESSAGING_MESSAGE_INVALID for a header that is the server's or ours, or whose name is
 *   longer than AMQP allows
 */
export function propertiesOf(message: OutgoingMessage, format: MessageFormat): Options.Publish {
  const isEvent = format === "cloudevents";
  const headers: Record<string, string | number> = {};
  for (const name in message.headers) {
    const value = message.headers[name];
    if (value === undefined || (isEvent && name === "source")) continue;
    if (isReserved(name) || isAttribute(name)) throw reserved(message, name);
    headers[name] = value;
  }
  const { correlationId } = message.headers;
  if (isEvent) writeAttributes(headers, message);
  else {
    headers[own.timestamp] = message.timestampMs;
    if (message.orderingKey !== undefined) headers[own.key] = message.orderingKey;
  }
  if (message.deliverAtMs !== undefined) headers[own.due] = message.deliverAtMs;
  if (message.expiresAtMs !== undefined) headers[own.expires] = message.expiresAtMs;
  return {
    messageId: message.id,
    timestamp: Math.max(0, Math.floor(message.timestampMs / 1000)), // seconds, as AMQP has it
    contentType: "application/json",
    deliveryMode: 2,
    headers,
    ...(message.priority === undefined ? {} : { priority: message.priority }),
    ...(correlationId !== undefined && Buffer.byteLength(correlationId) <= 255
      ? { correlationId }
      : {}),
  };
}

/** Properties that a message keeps on its way. */
interface Kept {
  readonly contentType: string | undefined;
  readonly contentEncoding: string | undefined;
  readonly timestamp: number | undefined;
  readonly type: string | undefined;
  readonly appId: string | undefined;
  readonly correlationId: string | undefined;
}

/** How a message goes on that has arrived. */
export interface Carriage {
  readonly message: OutgoingMessage;
  readonly passage: Passage;
  /** A dead letter has no expiry, and neither has what is redriven. */
  readonly isLetter: boolean;
  /** It comes before all that waits in its queue. */
  readonly isFirst?: boolean;
  readonly carried: CarriedHeaders;
}

/** `bare`: those that say what it is. `none`: only ours, as the others cannot be written. */
export type CarriedHeaders = "all" | "bare" | "none";

/** The properties of what has arrived, on its next way: its format and its headers stay. */
export function carriedProperties({ properties }: Incoming, carriage: Carriage): Options.Publish {
  const { message, passage, isLetter, isFirst = false, carried } = carriage;
  const given: Readonly<Record<string, unknown>> = properties.headers ?? {};
  const headers: Record<string, unknown> = {};
  for (const name in given) {
    if (isReserved(name) && !ofMessage.has(name)) continue;
    if (isLetter && name === own.expires) continue;
    const value = carriedValue(given[name]);
    if (carried === "none" || (carried === "bare" && !isBareHeader(name, value))) continue;
    headers[name] = value;
  }
  write(headers, message, passage);
  if (isFirst) headers[own.priority] = message.priority ?? 0;
  // What the server would act upon once more is left out: `expiration`, `reply_to`, `user_id`.
  const kept = properties as Kept; // the protocol gives each its type
  const { contentType, contentEncoding, timestamp, type, appId, correlationId } = kept;
  return {
    messageId: message.id,
    contentType,
    contentEncoding,
    timestamp,
    type,
    appId,
    correlationId,
    deliveryMode: 2,
    headers,
    priority: isFirst ? firstPriority : message.priority,
  } as Options.Publish; // what is undefined is not there, for the client too
}

function isBareHeader(name: string, value: unknown): boolean {
  if (name !== "source" && !ofMessage.has(name) && !isAttribute(name)) return false;
  return typeof value !== "string" || value.length <= bareValueMax;
}

/** What the client reads and may not be able to write becomes text, as a handler sees it. */
function carriedValue(value: unknown): unknown {
  if (typeof value === "boolean" || isAmqpTime(value)) return value;
  if (typeof value !== "number") return textOf(value);
  // The client cannot write greater ones.
  const isWritable = !Number.isInteger(value) && Math.abs(value) < 2 ** 50;
  return isWritable || Number.isSafeInteger(value) ? value : textOf(value);
}

function isAmqpTime(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (!("!" in value && "value" in value)) return false;
  return value["!"] === "timestamp" && Number.isSafeInteger(value.value);
}

function write(headers: Record<string, unknown>, message: Message, passage: Passage): void {
  const { attempt, failures, dueMs, isRetry, queuedAtMs, life } = passage;
  headers[own.topic] = message.topic; // its routing key will be another
  if (attempt > 0) headers[own.attempt] = attempt;
  if (failures > 0) headers[own.failures] = failures;
  if (dueMs > 0) headers[own.due] = dueMs;
  if (isRetry) headers[own.retry] = 1;
  if (queuedAtMs !== undefined) headers[own.queued] = queuedAtMs;
  if (life !== undefined) headers[own.life] = life;
}

export function contentOf(message: OutgoingMessage): Buffer {
  return Buffer.from(JSON.stringify(message.body), "utf8");
}

/** What arrived, as far as it is read without its body. */
export interface Arrived {
  /** With its expiry and its priority; a time it waited for is in the passage. */
  readonly message: OutgoingMessage;
  readonly passage: Passage;
  /** Deliveries that were never acknowledged, as the server counts them. */
  readonly returns: number;
  /** It was delivered before, and the server does not count how often. */
  readonly isUncounted: boolean;
  /** It was put into its place anew, with its count. */
  readonly isRecounted: boolean;
  /** The body is no JSON, and the message carries its text instead; or its headers are lost. */
  readonly damage: Error | undefined;
}

/** As the client delivers it. */
export interface Incoming {
  readonly content: Buffer;
  readonly fields: { readonly routingKey: string; readonly redelivered: boolean };
  readonly properties: MessageProperties;
}

/** Whatever it is, it can be read: what is missing is made up, and damage is told. */
export function readMessage({ content, fields, properties }: Incoming, isKeyed: boolean): Arrived {
  const given: Readonly<Record<string, unknown>> = properties.headers ?? {};
  const { routingKey } = fields;
  const topic =
    topicAt(given) ?? (isKeyed ? routingKey.slice(routingKey.indexOf(".") + 1) : routingKey);
  const event = readEvent({ content, properties, topic });
  const body = event ?? parse(content);
  const seconds: unknown = properties.timestamp;
  const priority: unknown = given[own.priority] ?? properties.priority;
  const returns = numberAt(given, "x-delivery-count");
  const message: OutgoingMessage = {
    id: event?.id ?? (typeof properties.messageId === "string" ? properties.messageId : "unknown"),
    topic,
    timestampMs:
      numberAt(given, own.timestamp) ??
      event?.timestampMs ??
      (typeof seconds === "number" ? seconds * 1000 : 0),
    body: body.body,
    headers: headersOf(properties, event),
    orderingKey: textAt(given, own.key) ?? event?.orderingKey,
    expiresAtMs: numberAt(given, own.expires),
    priority: isPriority(priority) ? priority : undefined,
  };
  return {
    message,
    damage: body.damage ?? lostHeaders(given),
    returns: returns ?? (fields.redelivered ? 1 : 0),
    isUncounted: fields.redelivered && returns === undefined,
    isRecounted: given[own.priority] !== undefined,
    passage: {
      attempt: numberAt(given, own.attempt) ?? 0,
      failures: numberAt(given, own.failures) ?? 0,
      dueMs: numberAt(given, own.due) ?? 0,
      isRetry: given[own.retry] === 1,
      queuedAtMs: numberAt(given, own.queued),
      life: textAt(given, own.life),
    },
  };
}

function headersOf(
  { correlationId, headers: given = {} }: MessageProperties,
  event: EventParts | undefined,
): MessageHeaders {
  const headers: Record<string, string> & { source: string } = { source: "unknown" };
  if (typeof correlationId === "string") headers["correlationId"] = correlationId;
  for (const name in given) {
    if (isReserved(name) || isAttribute(name)) continue;
    headers[name] = textOf(given[name]);
  }
  if (event !== undefined) {
    Object.assign(headers, event.headers);
    headers.source = textAt(given, own.source) ?? event.source ?? headers.source;
  }
  return Object.freeze(headers);
}

/** Ours is as long as a routing key; what is longer is a stranger's. */
function topicAt(headers: Readonly<Record<string, unknown>>): string | undefined {
  const topic = textAt(headers, own.topic);
  return topic !== undefined && topic.length <= routingKeyMax ? topic : undefined;
}

function isPriority(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 9;
}

function parse(content: Buffer): { body: unknown; damage: Error | undefined } {
  const text = content.toString("utf8");
  try {
    return { body: JSON.parse(text), damage: undefined };
  } catch (cause) {
    const damage = messagingErrors.MESSAGING_EVENT_UNREADABLE("The body is not JSON.", { cause });
    return { body: text, damage };
  }
}

/** What `header-guard.ts` put in the place of headers that cannot be read. */
function lostHeaders(given: Readonly<Record<string, unknown>>): Error | undefined {
  const reason = textAt(given, own.damage);
  return reason === undefined ? undefined : messagingErrors.MESSAGING_EVENT_UNREADABLE(reason);
}

function reserved(message: OutgoingMessage, name: string): Error {
  return messagingErrors.MESSAGING_MESSAGE_INVALID(
    `Message ${message.id} to "${message.topic}" was refused: RabbitMQ or the bus uses the header ` +
      `"${name.slice(0, 60)}" itself, or its name has more than 255 bytes; give it another name.`,
    { details: { pointer: `/headers/${name}` } },
  );
}
