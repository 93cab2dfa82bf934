/**
 * The log of an engine that is being opened: what the operator sees while its server is not there.
 *
 * An engine waits by itself, and warns with an `error` of what keeps it. Until it is open, that is
 * one line without a stack here: at once, again with growing pauses, and when the reason changes.
 * Any other line passes as it is, and once the engine is open every line does.
 */

import type { CancelTimer, Clock, Log, LogFields } from "@banyan/kernel";

export interface OpeningLogOptions {
  /** Where lines go. */
  readonly log: Log;
  readonly clock: Clock;
  /** The setting that bounds the wait, for the line; `undefined` where the engine has none. */
  readonly boundedBy: string | undefined;
  /** Told of the first wait. */
  readonly onWaiting?: (() => void) | undefined;
}

export interface OpeningLog {
  /** For the engine, which keeps it for its life. */
  readonly log: Log;
  /** The engine is open, or will never be. */
  end(): void;
}

/** The first repetition comes soon, the last ones are for a night: 1 s, 2 s, 4 s … 30 s. */
const pauseMs = { first: 1000, max: 30_000 };

export function createOpeningLog(options: OpeningLogOptions): OpeningLog {
  const { log, clock, boundedBy, onWaiting } = options;
  const startedMs = clock.monotonicMs();
  let isOpening = true;
  let nextPauseMs = pauseMs.first;
  let waiting: LogFields | undefined;
  let cancel: CancelTimer | undefined;
  const say = (): void => {
    const waitedMs = Math.round(clock.monotonicMs() - startedMs);
    const bound = boundedBy === undefined ? {} : { boundedBy };
    log.warn("waiting for the engine's server", { ...waiting, waitedMs, ...bound });
    cancel?.();
    cancel = clock.setTimer(nextPauseMs, say);
    nextPauseMs = Math.min(nextPauseMs * 2, pauseMs.max);
  };
  const warn = (to: Log, message: string, fields: LogFields = {}): void => {
    const { error, at, place } = fields;
    if (!isOpening || !(error instanceof Error)) {
      to.warn(message, fields);
      return;
    }
    const reason = error.message;
    if (waiting === undefined) onWaiting?.();
    if (waiting?.["reason"] === reason) return;
    waiting = { at: at ?? place, reason };
    say();
  };
  const wrap = (to: Log): Log => ({
    debug: (message, fields) => to.debug(message, fields),
    info: (message, fields) => to.info(message, fields),
    warn: (message, fields) => warn(to, message, fields),
    error: (message, fields) => to.error(message, fields),
    child: (fields) => wrap(to.child(fields)),
  });
  return {
    log: wrap(log),
    end() {
      isOpening = false;
      cancel?.();
    },
  };
}
