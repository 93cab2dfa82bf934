/** How a parcel ends that the server has not, or may not have, and why none is taken in. */

import { messagingErrors } from "@banyan/messaging";

interface Unsent {
  readonly content: Buffer;
  readonly properties: { readonly messageId?: string };
}

export function notEncoded({ properties }: Unsent, cause: unknown): Error {
  return messagingErrors.MESSAGING_MESSAGE_INVALID(
    `Message ${String(properties.messageId)} does not fit into what AMQP can carry: ` +
      "its headers and topic are too long, or its time is none.",
    { cause, details: { pointer: "" } },
  );
}

export function outcomeUnknown({ properties }: Unsent): Error {
  return messagingErrors.MESSAGING_OUTCOME_UNKNOWN(
    `Message ${String(properties.messageId)} was sent to RabbitMQ, which has not confirmed it in ` +
      "time; it may have been taken.",
    { details: { accepted: 0 } },
  );
}

/** @param sizeMax bytes, as the server said */
export function tooLargeForServer({ content, properties }: Unsent, sizeMax: number): Error {
  const size = content.length;
  return messagingErrors.MESSAGING_BODY_TOO_LARGE(
    `The body of message ${String(properties.messageId)} has ${size} bytes; RabbitMQ takes ` +
      `${sizeMax} (its max_message_size). Publish a reference to the data, or raise that setting.`,
    { details: { size, sizeMax, accepted: 0 } },
  );
}

export function tooOld(count: number, ageMaxMs: number): Error {
  return full(
    count,
    `The oldest of ${count} messages has waited for RabbitMQ for more than ${ageMaxMs} ` +
      "ms; nothing more is taken until they are sent. Look at the server.",
  );
}

export function rowFull(count: number, bytes: number): Error {
  return full(
    count,
    `${count} messages (${bytes} bytes) wait for RabbitMQ, which is 80 % of what ` +
      "may; nothing more is taken until some are sent. Publish slower, or look at the server.",
  );
}

function full(waiting: number, text: string): Error {
  const details = { subscription: "", waiting, accepted: 0 };
  return messagingErrors.MESSAGING_BUFFER_FULL(text, { details });
}

export function notTaken(cause: Error): Error {
  return messagingErrors.MESSAGING_UNAVAILABLE(
    `RabbitMQ did not take the message in time, and it was withdrawn: ${cause.message}`,
    { cause, details: { accepted: 0 } },
  );
}
