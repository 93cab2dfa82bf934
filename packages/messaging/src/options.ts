/** Options of the local bus, and the bounds every bus holds a subscription to. */

import type { BackoffOptions } from "@banyan/kernel";
import { kernelErrors, nearest } from "@banyan/kernel/internal";
import type { BusPublishOptions, DeliveryMode, SubscribeSpec } from "./bus.ts";
import { messagingErrors } from "./errors.ts";

/** What people write. */
export interface LocalBusOptions {
  /**
   * Messages a subscription holds, in handlers and in retries included, 1 … 1 000 000. Default
   * 10 000: seconds of a busy topic, and a few megabytes. With a journal 1 000 000 for groups: most
   * of them are on disk.
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
   * 10 000: memory must end somewhere, and an operator reads the newest first. With a journal
   * 1 000 000.
   */
  readonly deadLettersMax?: number | undefined;
}

/** The same; its name from when there was only the one. */
export type MemoryBusOptions = LocalBusOptions;

/** What code uses: complete and frozen. */
export interface ResolvedLocalBusOptions {
  readonly bufferMax: number;
  readonly bodySizeMax: number;
  readonly publishTimeoutMs: number;
  readonly deadLettersMax: number;
}

interface Bound {
  readonly min: number;
  readonly max: number;
}

const bounds: Readonly<Record<keyof ResolvedLocalBusOptions, Bound>> = {
  bufferMax: { min: 1, max: 1_000_000 },
  bodySizeMax: { min: 1, max: 64 * 1024 * 1024 },
  publishTimeoutMs: { min: 0, max: 3_600_000 },
  deadLettersMax: { min: 1, max: 1_000_000 },
};

/** What a bus without files uses where nothing is said. */
export const memoryDefaults: ResolvedLocalBusOptions = Object.freeze({
  bufferMax: 10_000,
  bodySizeMax: 1024 * 1024,
  publishTimeoutMs: 5_000,
  deadLettersMax: 10_000,
});

/** What a bus with a journal uses where nothing is said. */
export const journalDefaults: ResolvedLocalBusOptions = Object.freeze({
  ...memoryDefaults,
  bufferMax: 1_000_000,
  deadLettersMax: 1_000_000,
});

/** Who is asked for options, and what it uses where none is given. */
export interface LocalBusDefaults {
  /** Of the bus, for messages: `memory`. */
  readonly name: string;
  readonly defaults: ResolvedLocalBusOptions;
}

/** @throws MESSAGING_OPTIONS_INVALID for an unknown option or one out of bounds. */
export function resolveLocalBusOptions(
  options: LocalBusOptions | Readonly<Record<string, unknown>> = {},
  { name: bus, defaults }: LocalBusDefaults = { name: "memory", defaults: memoryDefaults },
): ResolvedLocalBusOptions {
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(bounds, name)) continue;
    const known = nearest(name, Object.keys(bounds));
    const hint = known === undefined ? "" : `; did you mean "${known}"?`;
    throw messagingErrors.MESSAGING_OPTIONS_INVALID(
      `The ${bus} bus has no option "${name}"${hint || "."}`,
    );
  }
  const given = new Map<string, unknown>(Object.entries(options));
  const read = (name: keyof ResolvedLocalBusOptions): number => {
    const { min, max } = bounds[name];
    const value = given.get(name) ?? defaults[name];
    if (isIntegerIn(value, min, max)) return value;
    throw messagingErrors.MESSAGING_OPTIONS_INVALID(
      `Option "${name}" of the ${bus} bus must be a whole number from ${min} to ${max}.`,
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
  readonly leaseMs: number;
  readonly retentionMs: number | undefined;
  readonly decode: SubscribeSpec["decode"];
}

/** As long as a lease may be: a day. */
export const leaseMaxMs = 86_400_000;
const leaseDefaultMs = 900_000;

/** Ten years: past any plan, within what a date and a timer can carry. */
export const delayMaxMs = 315_576_000_000;

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
  const { leaseMs = leaseDefaultMs, retentionMs } = spec;
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
  if (!isNumberIn(leaseMs, 1, leaseMaxMs)) throw refuse("leaseMs must be 1 to 86 400 000.");
  if (retentionMs !== undefined) {
    if (delivery !== "group") throw refuse("retentionMs is for groups; a broadcast keeps nothing.");
    if (!isNumberIn(retentionMs, 1000, delayMaxMs)) {
      throw refuse("retentionMs must be 1000 (a second) to 315 576 000 000 (ten years).");
    }
  }
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
    leaseMs,
    retentionMs,
    decode: spec.decode,
  });
}

/**
 * The publish waits neither for safety nor for room.
 * @throws REQUEST_INVALID where the mode is none
 */
export function isEnqueue({ mode }: BusPublishOptions): boolean {
  if (mode === undefined || mode === "safe") return false;
  if (mode === "enqueue") return true;
  throw kernelErrors.REQUEST_INVALID(
    `The mode of a publish is "safe" or "enqueue", not ${JSON.stringify(mode)}.`,
    { details: { issues: [{ pointer: "/mode", expected: '"safe" or "enqueue"' }] } },
  );
}

function isIntegerIn(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= min && value <= max;
}

function isNumberIn(value: unknown, min: number, max: number): value is number {
  return typeof value === "number" && value >= min && value <= max;
}
