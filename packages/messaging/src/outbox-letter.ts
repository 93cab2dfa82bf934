/**
 * A message as it waits in an outbox: text of a form that says its number.
 *
 * The form is durable: rows of an older version are relayed by a newer one, so a form that was
 * released is read for ever, and its golden text stands in the test.
 */

import type { OutgoingMessage } from "./bus.ts";
import { messagingErrors } from "./errors.ts";

const FORM = 1;

export function formatLetter(message: OutgoingMessage): string {
  const { id, topic, timestampMs, body, headers, orderingKey } = message;
  const { deliverAtMs, expiresAtMs, priority } = message;
  const when = { deliverAtMs, expiresAtMs, priority };
  return JSON.stringify({
    form: FORM,
    message: { id, topic, timestampMs, body, headers, orderingKey, ...when },
  });
}

/** The bus checks what is in it. @throws MESSAGING_MESSAGE_INVALID where it is no letter */
export function parseLetter(text: string): OutgoingMessage {
  let letter: unknown;
  try {
    letter = JSON.parse(text);
  } catch (cause) {
    throw unreadable("it is no JSON", cause);
  }
  if (!isRecord(letter)) throw unreadable("it is no object");
  const { form, message } = letter;
  if (form !== FORM) {
    throw unreadable(`its form is ${JSON.stringify(form)}, and this version reads ${FORM}`);
  }
  if (!isRecord(message)) throw unreadable("it has no message");
  // Whatever its members are: the bus looks at each before it takes a message.
  return message as unknown as OutgoingMessage;
}

function unreadable(why: string, cause?: unknown): Error {
  return messagingErrors.MESSAGING_MESSAGE_INVALID(
    `A row of the outbox cannot be read: ${why}.`,
    cause === undefined ? {} : { cause },
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
