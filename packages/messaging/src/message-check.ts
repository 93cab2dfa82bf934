/** What every bus checks of a message before it accepts it. */

import { systemClock } from "@banyan/kernel";
import type { Clock } from "@banyan/kernel";
import type { MessageHeaders, OutgoingMessage } from "./bus.ts";
import { BusCapability } from "./bus.ts";
import { messagingErrors } from "./errors.ts";
import { copyJson, measureJson } from "./json-value.ts";
import { delayMaxMs, isTopic } from "./options.ts";

export interface MessageChecks {
  readonly bodySizeMax: number;
  /** Message and body need no copy: nobody else keeps them. */
  readonly owned: boolean;
  /** The bus offers delays, by this clock. */
  readonly delays?: Clock | undefined;
  /** The bus offers priorities. Default false. */
  readonly priority?: boolean | undefined;
  /** What an `expiresAtMs` is held to. Default: that of the delays, or the system's. */
  readonly clock?: Clock | undefined;
}

const idLengthMax = 128;
const headersLengthMax = 8192; // what common brokers and HTTP servers take without being told

/**
 * The message as the bus keeps it: valid, of its own body, with frozen headers, and with a
 * `deliverAtMs` only if that is still to come.
 * @param isTopicKnown the topic was found valid before
 * @throws MESSAGING_MESSAGE_INVALID, MESSAGING_BODY_TOO_LARGE, MESSAGING_CAPABILITY_MISSING
 */
export function checkMessage(
  message: OutgoingMessage,
  checks: MessageChecks,
  isTopicKnown = false,
): OutgoingMessage {
  if (typeof message !== "object" || message === null) {
    throw messagingErrors.MESSAGING_MESSAGE_INVALID("What was published is not a message.");
  }
  const { id, topic, timestampMs, body, orderingKey, deliverAtMs } = message;
  if (!isId(id)) {
    throw invalid(message, "its id must be 1 to 128 visible ASCII characters", "/id");
  }
  if (!isTopicKnown && !isTopic(topic)) {
    throw invalid(
      message,
      "its topic must be words joined by dots, as in greeter.greeted",
      "/topic",
    );
  }
  if (!Number.isFinite(timestampMs)) {
    throw invalid(message, "its timestampMs must be milliseconds since 1970", "/timestampMs");
  }
  const size = measureJson(body);
  if (typeof size !== "number") {
    throw invalid(message, `its body is not JSON: ${size.found}`, `/body${size.pointer}`);
  }
  if (orderingKey !== undefined && !isOrderingKey(orderingKey)) {
    throw invalid(
      message,
      "its orderingKey must be text of at most 1024 characters",
      "/orderingKey",
    );
  }
  if (size > checks.bodySizeMax) {
    throw messagingErrors.MESSAGING_BODY_TOO_LARGE(
      `The body of message ${id} has about ${size} characters; ${checks.bodySizeMax} are allowed.`,
      { details: { size, sizeMax: checks.bodySizeMax } },
    );
  }
  const headers = checkHeaders(message);
  const dueAtMs = deliverAtMs === undefined ? undefined : checkDelay(message, checks.delays);
  const { expiresAtMs, priority } = message;
  if (expiresAtMs !== undefined) checkExpiry(message, checks);
  if (priority !== undefined) checkPriority(message, checks);
  if (checks.owned && headers === message.headers && dueAtMs === deliverAtMs) return message;
  return {
    id,
    topic,
    timestampMs,
    body: checks.owned ? body : copyJson(body),
    headers,
    orderingKey,
    deliverAtMs: dueAtMs,
    expiresAtMs,
    priority,
  };
}

/** It is not handled any more. */
export function isOver({ expiresAtMs }: OutgoingMessage, clock: Clock): boolean {
  return expiresAtMs !== undefined && expiresAtMs <= clock.nowMs();
}

/** When it is to be delivered; `undefined`: at once. */
function checkDelay(message: OutgoingMessage, clock: Clock | undefined): number | undefined {
  const { deliverAtMs = 0 } = message;
  if (clock === undefined) {
    throw messagingErrors.MESSAGING_CAPABILITY_MISSING(
      `Message ${message.id} asks for a delay (deliverAtMs), which this bus does not offer.`,
      { details: { capability: BusCapability.Delays } },
    );
  }
  const waitMs = deliverAtMs - clock.nowMs();
  if (waitMs <= 0) return undefined;
  if (waitMs <= delayMaxMs) return deliverAtMs;
  throw invalid(message, "its deliverAtMs must be a time within ten years", "/deliverAtMs");
}

function checkExpiry(message: OutgoingMessage, { clock, delays }: MessageChecks): void {
  const { expiresAtMs = Number.NaN, deliverAtMs = -Infinity } = message;
  const nowMs = (clock ?? delays ?? systemClock).nowMs();
  if (!Number.isFinite(expiresAtMs) || expiresAtMs - nowMs > delayMaxMs) {
    throw invalid(message, "its expiresAtMs must be a time within ten years", "/expiresAtMs");
  }
  if (expiresAtMs <= deliverAtMs) {
    throw invalid(message, "its expiresAtMs must be later than its deliverAtMs", "/expiresAtMs");
  }
}

function checkPriority(message: OutgoingMessage, checks: MessageChecks): void {
  const { priority = Number.NaN } = message;
  if (checks.priority !== true) {
    throw messagingErrors.MESSAGING_CAPABILITY_MISSING(
      `Message ${message.id} asks for a priority, which this bus does not offer.`,
      { details: { capability: BusCapability.Priority } },
    );
  }
  if (Number.isInteger(priority) && priority >= 0 && priority <= 9) return;
  throw invalid(message, "its priority must be a whole number from 0 to 9", "/priority");
}

/** A loop: at 36 characters a third of what a pattern costs. */
function isId(id: unknown): boolean {
  if (typeof id !== "string" || id.length === 0 || id.length > idLengthMax) return false;
  for (let index = 0; index < id.length; index += 1) {
    const code = id.charCodeAt(index);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return true;
}

function isOrderingKey(key: unknown): boolean {
  return typeof key === "string" && key.length <= 1024;
}

function checkHeaders(message: OutgoingMessage): MessageHeaders {
  const { headers } = message;
  if (typeof headers !== "object" || headers === null || typeof headers.source !== "string") {
    throw invalid(message, "its headers must name the source", "/headers/source");
  }
  let length = 0;
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined) continue;
    if (typeof value !== "string") {
      throw invalid(message, "a header must be text", `/headers/${name}`);
    }
    length += name.length + value.length;
  }
  if (length > headersLengthMax) {
    throw invalid(message, `its headers have more than ${headersLengthMax} characters`, "/headers");
  }
  // A publisher that froze its headers shares them with every message at no cost.
  return Object.isFrozen(headers) ? headers : Object.freeze({ ...headers });
}

function invalid(message: OutgoingMessage, why: string, pointer: string): Error {
  return messagingErrors.MESSAGING_MESSAGE_INVALID(
    `Message ${String(message.id)} to "${String(message.topic)}" was refused: ${why}.`,
    { details: { pointer } },
  );
}
