/**
 * Error catalogues: one per package or contract, each code with its kind and its page entry.
 *
 * `defineErrors` turns a table into constructors, so a code cannot be misspelt where it is thrown
 * and the documentation (`docs/reference/errors.md`) can be held to the table by a test.
 */

import { BanyanError } from "./banyan-error.ts";
import type { ErrorDetails } from "./banyan-error.ts";
import type { ErrorKind } from "./kinds.ts";

/** One row of a catalogue. */
export interface ErrorSpec {
  readonly kind: ErrorKind;
  /** One sentence: when it is answered and what the caller can do. Printed in the reference. */
  readonly summary: string;
  /** HTTP status, where the code narrows its kind's. */
  readonly http?: number;
  readonly retryable?: boolean;
}

/** Codes and what each means. */
export type ErrorTable = Readonly<Record<string, ErrorSpec>>;

export interface ErrorOptions {
  readonly details?: ErrorDetails | undefined;
  readonly cause?: unknown;
  readonly retryable?: boolean | undefined;
  readonly retryAfterMs?: number | undefined;
}

/** Builds (does not throw) the error of one code. */
export type ErrorConstructorOf = (message: string, options?: ErrorOptions) => BanyanError;

/** One constructor per code of a table. */
export type ErrorCatalogue<T extends ErrorTable> = {
  readonly [Code in keyof T]: ErrorConstructorOf & { readonly spec: T[Code] };
};

const codePattern = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*$/;

/**
 * Turns a table of codes into constructors.
 *
 * @example
 * const errors = defineErrors({
 *   DESK_CLOSED: { kind: "failed_precondition", summary: "The desk takes no orders now." },
 * });
 * throw errors.DESK_CLOSED("The desk is closed until 09:00; try again then.");
 */
export function defineErrors<const T extends ErrorTable>(table: T): ErrorCatalogue<T> {
  const entries = Object.entries(table).map(([code, spec]) => {
    if (!codePattern.test(code)) {
      throw new TypeError(`Error code "${code}" is not UPPER_SNAKE, such as STATE_KEY_INVALID.`);
    }
    const construct = (message: string, options: ErrorOptions = {}): BanyanError =>
      new BanyanError({
        kind: spec.kind,
        code,
        message,
        http: spec.http,
        details: options.details,
        cause: options.cause,
        retryable: options.retryable ?? spec.retryable,
        retryAfterMs: options.retryAfterMs,
      });
    return [code, Object.assign(construct, { spec })] as const;
  });
  // The entries were made from the keys of the table, each with its own spec.
  return Object.freeze(Object.fromEntries(entries)) as ErrorCatalogue<T>;
}
