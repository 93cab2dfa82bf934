/** Options of the memory bus, and the bounds every bus holds a subscription to. */

import type { BackoffOptions } from "@banyan/kernel";
import { nearest } from "@banyan/kernel/internal";
import type { DeliveryMode, SubscribeSpec } from "./bus.ts";
import { messagingErrors } from "./errors.ts";

/** What people write. */
export interface MemoryBusOptions {
  /**
   * Messages a subscription holds, in handlers and in retries included, 1 … 1 000 000. Default
   * 10 000: seconds of a busy topic, and a few megabytes.
   */
  readonly bufferMax?: number | undefined;
  /**
   * Size of a body in characters of JSON, 1 … 64 Mi. Default 1 Mi: an event tells what happened,
   * it does not carry files.
   */
  readonly bodySizeMax?: number | undefined;
  /**
   * Milliseconds a publish waits for room, 0 … 3 600 000. Default 5 000: shorter than the default
   * deadline of a call, so that the caller gets this answer and not a bare deadline.
   */
  readonly publishTimeoutMs?: number | undefined;
  /**
   * Dead letters kept, 1 … 1 000 000; past it the oldest is dropped, logged and counted. Default
   * 10 000: memory must end somewhere, and an operator reads the newest first.
   */
  readonly deadLettersMax?: number | undefined;
}

/** What code uses: complete and frozen. */
export interface ResolvedMemoryBusOptions {
  readonly bufferMax: number;
  readonly bodySizeMax: number;
  readonly publishTimeoutMs: number;
  readonly deadLettersMax: number;
}

interface Bound {
  readonly min: number;
  readonly max: number;
  readonly byDefault: number;
}

const bounds: Readonly<Record<keyof ResolvedMemoryBusOptions, Bound>> = {
  bufferMax: { min: 1, max: 1_000_000, byDefault: 10_000 },
  bodySizeMax: { min: 1, max: 64 * 1024 * 1024, byDefault: 1024 * 1024 },
  publishTimeoutMs: { min: 0, max: 3_600_000, byDefault: 5_000 },
  deadLettersMax: { min: 1, max: 1_000_000, byDefault: 10_000 },
};

/** @throws MESSAGING_OPTIONS_INVALID for an unknown option or one out of bounds. */
export function resolveMemoryBusOptions(
  options: MemoryBusOptions | Readonly<Record<string, unknown>> = {},
): ResolvedMemoryBusOptions {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(bounds, name)) continue;
    const known = nearest(name, Object.keys(bounds));
    const hint = known === undefined ? "" : `; did you mean "${known}"?`;
    throw messagingErrors.MESSAGING_OPTIONS_INVALID(
      `The memory bus has no option "${name}"${hint || "."}`,
    );
  }
  const given = new Map<string, unknown>(Object.entries(options));
  const read = (name: keyof ResolvedMemoryBusOptions): number => {
    const { min, max, byDefault } = bounds[name];
    const value = given.get(name) ?? byDefault;
    if (isIntegerIn(value, min, max)) return value;
    throw messagingErrors.MESSAGING_OPTIONS_INVALID(
      `Option "${name}" of the memory bus must be a whole number from ${min} to ${max}.`,
    );
  };
  return Object.freeze({
    bufferMax: read("bufferMax"),
    bodySizeMax: read("bodySizeMax"),
    publishTimeoutMs: read("publishTimeoutMs"),
    deadLettersMax: read("deadLettersMax"),
  });
}

/** A subscription's spec with every default in place. */
export interface ResolvedSubscribeSpec {
  readonly name: string;
  readonly topic: string;
  readonly delivery: DeliveryMode;
  readonly concurrency: number;
  readonly retriesMax: number;
  readonly backoff: BackoffOptions;
  readonly bufferMax: number;
  readonly ordered: boolean;
  readonly decode: SubscribeSpec["decode"];
}

const wordsPattern = /^[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*$/;
const wildcardPattern = /^(?:[A-Za-z0-9_-]+|\*|#)(?:\.(?:[A-Za-z0-9_-]+|\*|#))*$/;

/** Words of letters, digits, `_` and `-`, joined by dots; 1 to 255 characters. */
export function isTopic(value: unknown): value is string {
  return typeof value === "string" && value.length <= 255 && wordsPattern.test(value);
}

/** A topic in which a word is `*` (one word) or `#` (any number of words). */
export function isWildcard(topic: string): boolean {
  return topic.length <= 255 && !wordsPattern.test(topic) && wildcardPattern.test(topic);
}

/**
 * Checks a spec and fills in its defaults; every bus calls it first.
 * @throws MESSAGING_SUBSCRIPTION_INVALID
 */
export function resolveSubscribeSpec(
  spec: SubscribeSpec,
  defaults: { readonly bufferMax: number },
): ResolvedSubscribeSpec {
  const { name, topic, delivery } = spec;
  const { concurrency = 16, retriesMax = 5, bufferMax = defaults.bufferMax } = spec;
  const refuse = (why: string): Error =>
    messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(`Subscription "${name}": ${why}`);
  if (!isTopic(name)) {
    throw refuse("its name must be words of letters, digits, _ and - joined by dots.");
  }
  if (!isTopic(topic) && !isWildcard(topic)) {
    throw refuse('its topic must be such words too, as in "greeter.greeted".');
  }
  if (delivery !== "group" && delivery !== "broadcast") {
    throw refuse('its delivery must be "group" or "broadcast".');
  }
  if (!isIntegerIn(concurrency, 1, 10_000)) throw refuse("concurrency must be 1 to 10 000.");
  if (!isIntegerIn(retriesMax, 0, 1000)) throw refuse("retriesMax must be 0 to 1000.");
  if (!isIntegerIn(bufferMax, 1, 1_000_000)) throw refuse("bufferMax must be 1 to 1 000 000.");
  const { initialMs = 0, maxMs = 0, factor = 1 } = spec.backoff ?? {};
  if (![initialMs, maxMs, factor].every((value) => Number.isFinite(value) && value >= 0)) {
    throw refuse("backoff takes initialMs, maxMs and factor as numbers from 0.");
  }
  return Object.freeze({
    name,
    topic,
    delivery,
    concurrency,
    retriesMax,
    backoff: spec.backoff ?? {},
    bufferMax,
    ordered: spec.ordered === true,
    decode: spec.decode,
  });
}

function isIntegerIn(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}
