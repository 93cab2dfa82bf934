/**
 * The messages of one publish, in the parts in which they are taken in: how many are accepted.
 *
 * With a journal a part is safe, or refused, some time after it was taken in; a part is all or
 * nothing, and nothing keeps a later part from being safe where an earlier one was refused.
 *
 * P1. `accepted` counts the messages before the first refused part, never one behind it.
 * P2. It is told when it is known of every part what became of it, not before.
 */

import { BanyanError, isBanyanError } from "@banyan/kernel";
import { toBanyanError } from "@banyan/kernel/internal";
import { messagingErrors } from "./errors.ts";

interface Part {
  count: number;
  /** Resolves when it is safe; `undefined`: it is. */
  readonly safe: Promise<void> | undefined;
}

const done = Promise.resolve();

export class PublishParts {
  readonly #parts: Part[] = [];
  /** Called when a part is refused. */
  onRefused: (() => void) | undefined = undefined;

  /** So many more messages are taken in, after those before them. */
  add(count: number, safe: Promise<void> | undefined): void {
    const last = this.#parts.at(-1);
    if (safe === undefined && last !== undefined && last.safe === undefined) {
      last.count += count;
      return;
    }
    this.#parts.push({ count, safe });
    // `settled` tells the publisher; until it is asked the refusal is nobody's.
    safe?.catch(() => this.onRefused?.());
  }

  /** All that was taken in is safe already. */
  get isSafe(): boolean {
    return this.#parts.every(({ safe }) => safe === undefined);
  }

  /**
   * How many messages were accepted, when that is known.
   * @throws the first refusal, with `details.accepted`; MESSAGING_OUTCOME_UNKNOWN where something
   *   behind it was kept, or may have been
   */
  async settled(): Promise<number> {
    const outcomes = await Promise.allSettled(this.#parts.map(({ safe = done }) => safe));
    let accepted = 0;
    let refusal: PromiseRejectedResult | undefined;
    let isUnclear = false;
    for (const [index, outcome] of outcomes.entries()) {
      if (refusal === undefined) {
        if (outcome.status === "rejected") refusal = outcome;
        else accepted += this.#parts[index]?.count ?? 0;
        continue;
      }
      isUnclear ||= outcome.status === "fulfilled" || isUnknown(outcome.reason);
    }
    if (refusal === undefined) return accepted;
    if (isUnclear && !isUnknown(refusal.reason)) throw unclear(refusal.reason, accepted);
    throw refusedAfter(refusal.reason, accepted);
  }
}

/** Why messages were refused, for a publisher of whose batch so many were accepted before. */
export function refusedAfter(reason: unknown, accepted: number): BanyanError {
  const error = toBanyanError(reason);
  const { kind, code, message, http, details, cause = reason, retryable, retryAfterMs } = error;
  if (details?.["accepted"] === accepted) return error;
  return new BanyanError({
    kind,
    code,
    message: accepted === 0 ? message : `${acceptedOnly(accepted)} ${message}`,
    http,
    details: { ...details, accepted },
    cause,
    retryable,
    retryAfterMs,
  });
}

function unclear(reason: unknown, accepted: number): Error {
  return messagingErrors.MESSAGING_OUTCOME_UNKNOWN(
    `${acceptedOnly(accepted)} Of those behind them some were refused, others were kept; publish ` +
      "them again under the same ids.",
    { cause: reason, details: { accepted } },
  );
}

function acceptedOnly(accepted: number): string {
  return `Of the batch only the first ${accepted} are known to be accepted.`;
}

function isUnknown(reason: unknown): boolean {
  return isBanyanError(reason, "MESSAGING_OUTCOME_UNKNOWN");
}
