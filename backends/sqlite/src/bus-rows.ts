/**
 * Messages and dead letters as rows, in both directions.
 *
 * SQLite does not notice when a byte of a text has changed on its disk. A message whose JSON cannot
 * be read any more is not thrown away: its body is then that text itself, and who asked is told.
 */

import { isErrorKind } from "@banyan/kernel/internal";
import type { DeadLetter, Message, MessageHeaders } from "@banyan/messaging";
import type { StoredLetter, StoredMessage } from "./bus-ops.ts";
import type { SqlRow, SqlValue } from "./sqlite-file.ts";

/** Columns of a message, in the order of `StoredMessage`. */
export const messageColumns = "message_id, topic, published_at, ordering_key, headers, body";
/** Columns of a dead letter beside its message, in the order of `StoredLetter`. */
export const letterColumns = "id, subscription, delivery, attempts, reason, error, dead_at";

/** A message as it was read, and whether its JSON could be. */
export interface ReadMessage {
  readonly message: Message;
  readonly isDamaged: boolean;
}

/** Turns messages into rows and back; remembers headers, which most messages share. */
export class MessageRows {
  #headers: MessageHeaders | undefined = undefined;
  #headersText = "";
  #readText = "";
  #readHeaders: MessageHeaders | undefined = undefined;

  toRow({ id, topic, timestampMs, orderingKey, headers, body }: Message): StoredMessage {
    const headersText = this.#textOf(headers);
    return [id, topic, timestampMs, orderingKey ?? null, headersText, JSON.stringify(body)];
  }

  /** @param row begins with the columns of a message. */
  fromRow(row: SqlRow): ReadMessage {
    const [id, topic, publishedAt, orderingKey, headersText, bodyText] = row;
    const headers = this.#headersOf(textOf(headersText));
    const body = parsed(textOf(bodyText));
    const message: Message = {
      id: textOf(id),
      topic: textOf(topic),
      timestampMs: Number(publishedAt),
      body: body === undefined ? textOf(bodyText) : body.value,
      headers: headers ?? { source: "unknown" },
      orderingKey: typeof orderingKey === "string" ? orderingKey : undefined,
    };
    return { message, isDamaged: body === undefined || headers === undefined };
  }

  #textOf(headers: MessageHeaders): string {
    if (headers === this.#headers) return this.#headersText;
    const text = JSON.stringify(headers);
    if (Object.isFrozen(headers)) {
      this.#headers = headers;
      this.#headersText = text;
    }
    return text;
  }

  #headersOf(text: string): MessageHeaders | undefined {
    if (text === this.#readText) return this.#readHeaders;
    const headers = parsed(text)?.value;
    this.#readText = text;
    this.#readHeaders = isHeaders(headers) ? Object.freeze(headers) : undefined;
    return this.#readHeaders;
  }
}

export function letterToRow(letter: DeadLetter): StoredLetter {
  const { id, subscription, delivery, attempts, reason, deadAtMs } = letter;
  return [id, subscription, delivery, attempts, reason, errorText(letter.error), deadAtMs];
}

/** @param row the columns of a letter, then those of its message. */
export function letterFromRow(row: SqlRow, rows: MessageRows): DeadLetter {
  const [id, subscription, delivery, attempts, reason, error, deadAt] = row;
  return {
    id: textOf(id),
    subscription: textOf(subscription),
    delivery: delivery === "broadcast" ? "broadcast" : "group",
    message: rows.fromRow(row.slice(7)).message,
    attempts: Number(attempts),
    reason: reasonOf(reason),
    error: errorOf(textOf(error)),
    deadAtMs: Number(deadAt),
  };
}

/** What a handler threw may hold anything; that must not cost the message its letter. */
function errorText(error: DeadLetter["error"]): string {
  try {
    return JSON.stringify(error);
  } catch {
    const { kind, code, message, stack } = error;
    return JSON.stringify({ kind, code, message, stack });
  }
}

function errorOf(text: string): DeadLetter["error"] {
  const error = parsed(text)?.value;
  if (isRecord(error)) {
    const { kind, code, message, details, stack } = error;
    if (isErrorKind(kind) && typeof code === "string" && typeof message === "string") {
      return {
        kind,
        code,
        message,
        ...(isRecord(details) ? { details } : {}),
        ...(typeof stack === "string" ? { stack } : {}),
      };
    }
  }
  return { kind: "data_loss", code: "SQLITE_FILE_CORRUPT", message: text };
}

function reasonOf(reason: SqlValue | undefined): DeadLetter["reason"] {
  switch (reason) {
    case "retries-exhausted":
    case "final-error":
    case "lease-lost":
    case "buffer-full":
      return reason;
    default:
      return "unreadable";
  }
}

/** In an object of its own, so that JSON's `null` is a value. */
function parsed(text: string): { readonly value: unknown } | undefined {
  try {
    return { value: JSON.parse(text) };
  } catch {
    // The caller keeps the text and says that it is damaged.
    return undefined;
  }
}

/** STRICT columns: what is not null in a text column is text. */
function textOf(value: SqlValue | undefined): string {
  return typeof value === "string" ? value : "";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isHeaders(value: unknown): value is MessageHeaders {
  return (
    isRecord(value) &&
    typeof value["source"] === "string" &&
    Object.values(value).every((header) => typeof header === "string")
  );
}
