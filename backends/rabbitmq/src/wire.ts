/**
 * A message on the wire: the body is the JSON itself, everything else is a property or a header, as
 * strangers expect them. What only the bus needs is in headers that begin with `x-banyan-`.
 */

import type { MessageProperties, Options } from "amqplib";
import type { OutgoingMessage } from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";

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

const own = {
  timestamp: "x-banyan-timestamp",
  topic: "x-banyan-topic",
  key: "x-banyan-ordering-key",
  due: "x-banyan-due",
  expires: "x-banyan-expires",
  attempt: "x-banyan-attempt",
  failures: "x-banyan-failures",
  retry: "x-banyan-retry",
  queued: "x-banyan-queued",
  life: "x-banyan-life",
} as const;

/** Where the letter stands that a dead message is. */
export const letterHeader = "x-banyan-letter";

/** The server reads these, or writes them. */
const serverHeaders = new Set(["CC", "BCC", "x-death", "x-delivery-count", "x-stream-offset"]);
const serverHeaderPattern = /^x-(?:first|last)-death-/;

/**
 * @throws MESSAGING_MESSAGE_INVALID for a header that is the server's or ours, or whose name is
 *   longer than AMQP allows
 */
export function propertiesOf(message: OutgoingMessage, passage: Passage): Options.Publish {
  const headers: Record<string, string | number> = {};
  for (const name in message.headers) {
    const value = message.headers[name];
    if (value === undefined) continue;
    if (isReserved(name)) throw reserved(message, name);
    headers[name] = value;
  }
  const { correlationId } = message.headers;
  headers[own.timestamp] = message.timestampMs;
  if (message.orderingKey !== undefined) headers[own.key] = message.orderingKey;
  if (message.deliverAtMs !== undefined) headers[own.due] = message.deliverAtMs;
  if (message.expiresAtMs !== undefined) headers[own.expires] = message.expiresAtMs;
  if (passage !== fresh) write(headers, message, passage);
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

function write(
  headers: Record<string, string | number>,
  message: OutgoingMessage,
  passage: Passage,
): void {
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
  /** The body is no JSON: the message carries its text instead. */
  readonly damage: Error | undefined;
}

interface Incoming {
  readonly content: Buffer;
  readonly fields: { readonly routingKey: string; readonly redelivered: boolean };
  readonly properties: MessageProperties;
}

/** Whatever it is, it can be read: what is missing is made up, and damage is told. */
export function readMessage({ content, fields, properties }: Incoming, isKeyed: boolean): Arrived {
  const given: Readonly<Record<string, unknown>> = properties.headers ?? {};
  const headers: Record<string, string> & { source: string } = { source: "unknown" };
  const correlationId: unknown = properties.correlationId;
  if (typeof correlationId === "string") headers["correlationId"] = correlationId;
  for (const name in given) {
    const value = given[name];
    if (isReserved(name)) continue;
    headers[name] = typeof value === "string" ? value : textOf(value);
  }
  const { routingKey } = fields;
  const topic =
    textAt(given, own.topic) ??
    (isKeyed ? routingKey.slice(routingKey.indexOf(".") + 1) : routingKey);
  const seconds: unknown = properties.timestamp;
  const timestampMs =
    numberAt(given, own.timestamp) ?? (typeof seconds === "number" ? seconds * 1000 : 0);
  const body = parse(content);
  const priority: unknown = properties.priority;
  const message: OutgoingMessage = {
    id: typeof properties.messageId === "string" ? properties.messageId : "unknown",
    topic,
    timestampMs,
    body: body.value,
    headers: Object.freeze(headers),
    orderingKey: textAt(given, own.key),
    expiresAtMs: numberAt(given, own.expires),
    priority: typeof priority === "number" ? priority : undefined,
  };
  return {
    message,
    damage: body.damage,
    returns: numberAt(given, "x-delivery-count") ?? (fields.redelivered ? 1 : 0),
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

function parse(content: Buffer): { value: unknown; damage: Error | undefined } {
  const text = content.toString("utf8");
  try {
    return { value: JSON.parse(text), damage: undefined };
  } catch (cause) {
    const damage = messagingErrors.MESSAGING_EVENT_UNREADABLE("The body is not JSON.", { cause });
    return { value: text, damage };
  }
}

function isReserved(name: string): boolean {
  return (
    name.startsWith("x-banyan-") ||
    serverHeaders.has(name) ||
    serverHeaderPattern.test(name) ||
    name.length > 255 ||
    Buffer.byteLength(name) > 255
  );
}

function reserved(message: OutgoingMessage, name: string): Error {
  return messagingErrors.MESSAGING_MESSAGE_INVALID(
    `Message ${message.id} to "${message.topic}" was refused: RabbitMQ or the bus uses the header ` +
      `"${name.slice(0, 60)}" itself, or its name has more than 255 bytes; give it another name.`,
    { details: { pointer: `/headers/${name}` } },
  );
}

function textAt(headers: Readonly<Record<string, unknown>>, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

function numberAt(headers: Readonly<Record<string, unknown>>, name: string): number | undefined {
  const value = headers[name];
  return typeof value === "number" ? value : undefined;
}

/** A stranger's header: a number, a table. */
function textOf(value: unknown): string {
  return JSON.stringify(value) ?? "";
}
