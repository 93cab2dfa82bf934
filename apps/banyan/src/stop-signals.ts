/**
 * Ctrl-C and its kin: the first asks for a clean stop, the second ends the process at once.
 *
 * `npm start` passes a Ctrl-C on although the terminal has sent it to everybody already, and so
 * does the door on an older Node. A repeat within a moment is therefore the same key press; no hand
 * is that fast.
 */

import { constants } from "node:os";
import { systemClock } from "@banyan/kernel";
import type { Clock } from "@banyan/kernel";

const samePressMs = 250;
const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

export type StopSignal = (typeof signals)[number];

export interface StopSignals extends Disposable {
  /** The first signal. */
  readonly first: Promise<StopSignal>;
}

export interface StopSignalsOptions {
  readonly clock?: Clock;
  /** Called at the second one. Default: exit as a shell reports that signal, 130 for Ctrl-C. */
  readonly onSecond?: (signal: StopSignal) => void;
}

/** Listens until it is disposed. */
export function listenForStop(options: StopSignalsOptions = {}): StopSignals {
  const { clock = systemClock, onSecond = exitBySignal } = options;
  const first = Promise.withResolvers<StopSignal>();
  let firstAtMs: number | undefined;
  const onSignal = (signal: StopSignal): void => {
    const now = clock.monotonicMs();
    if (firstAtMs === undefined) {
      firstAtMs = now;
      first.resolve(signal);
    } else if (now - firstAtMs > samePressMs) onSecond(signal);
  };
  for (const signal of signals) process.on(signal, onSignal);
  return {
    first: first.promise,
    [Symbol.dispose]() {
      for (const signal of signals) process.off(signal, onSignal);
    },
  };
}

/** Ends the process with the code a shell gives that signal. */
export function exitBySignal(signal: StopSignal): never {
  process.exit(128 + constants.signals[signal]);
}
