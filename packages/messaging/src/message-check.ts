/** What every bus checks of a message before it accepts it. */

import type { Message, MessageHeaders, OutgoingMessage } from "./bus.ts";
import { BusCapability } from "./bus.ts";
import { messagingErrors } from "./errors.ts";
import { copyJson, measureJson } from "./json-value.ts";
import { isTopic } from "./options.ts";

export interface MessageChecks {
  readonly bodySizeMax: number;
  /** The body needs no copy: nobody else keeps it. */
  readonly owned: boolean;
  readonly delays?: boolean;
}

const idPattern = /^[\x21-\x7e]{1,128}$/;
const headersLengthMax = 8192; // what common brokers and HTTP servers take without being told

/**
 * The message as the bus keeps it: valid, of its own body, with frozen headers.
 * @throws MESSAGING_MESSAGE_INVALID, MESSAGING_BODY_TOO_LARGE, MESSAGING_CAPABILITY_MISSING
 */
export function checkMessage(message: OutgoingMessage, checks: MessageChecks): Message {
  if (typeof message !== "object" || message === null) {
    throw messagingErrors.MESSAGING_MESSAGE_INVALID("What was published is not a message.");
  }
  const { id, topic, timestampMs, body, orderingKey } = message;
  if (typeof id !== "string" || !idPattern.test(id)) {
    throw invalid(message, "its id must be 1 to 128 visible ASCII characters", "/id");
  }
  if (!isTopic(topic)) {
    throw invalid(
      message,
      "its topic must be words joined by dots, as in greeter.greeted",
      "/topic",
    );
  }
  if (!Number.isFinite(timestampMs)) {
    throw invalid(message, "its timestampMs must be milliseconds since 1970", "/timestampMs");
  }
  if (message.deliverAtMs !== undefined && checks.delays !== true) {
    throw messagingErrors.MESSAGING_CAPABILITY_MISSING(
      `Message ${id} asks for a delay (deliverAtMs), which this bus does not offer.`,
      { details: { capability: BusCapability.Delays } },
    );
  }
  const size = measureJson(body);
  if (typeof size !== "number") {
    throw invalid(message, `its body is not JSON: ${size.found}`, `/body${size.pointer}`);
  }
  if (size > checks.bodySizeMax) {
    throw messagingErrors.MESSAGING_BODY_TOO_LARGE(
      `The body of message ${id} has about ${size} characters; ${checks.bodySizeMax} are allowed.`,
      { details: { size, sizeMax: checks.bodySizeMax } },
    );
  }
  const headers = checkHeaders(message);
  return {
    id,
    topic,
    timestampMs,
    body: checks.owned ? body : copyJson(body),
    headers,
    orderingKey,
  };
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
