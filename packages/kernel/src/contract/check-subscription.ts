/** What a subscription asks of the bus, held to the bounds that every bus keeps. */

import type { SubscriptionSpec } from "./contract-spec.ts";
import { unknownKeys } from "./known-keys.ts";
import type { Offence } from "./offence.ts";

interface Bound {
  readonly min: number;
  readonly max: number;
  /** A number of something, or milliseconds of which a part is no use. */
  readonly isWhole: boolean;
}

const dayMs = 86_400_000;

const bounds: Readonly<Record<string, Bound>> = {
  concurrency: { min: 1, max: 10_000, isWhole: true },
  retriesMax: { min: 0, max: 1000, isWhole: true },
  deadlineMs: { min: 1, max: dayMs, isWhole: true },
  retentionMs: { min: 1000, max: 315_576_000_000, isWhole: true },
  bufferMax: { min: 1, max: 1_000_000, isWhole: true },
};

const backoffBounds: Readonly<Record<string, Bound>> = {
  initialMs: { min: 0, max: dayMs, isWhole: false },
  maxMs: { min: 0, max: dayMs, isWhole: false },
  factor: { min: 1, max: 100, isWhole: false },
};

/** Of `BackoffOptions`, where `maxMs` is left out. */
const maxDefaultMs = 30_000;

/** Its offences; their places begin behind that of the subscription: `.backoff.maxMs`. */
export function subscriptionOffences(spec: SubscriptionSpec): readonly Offence[] {
  const offences = [...misspelt("subscription", spec, ""), ...outOfBounds(spec, bounds, "")];
  const { delivery, retentionMs, backoff } = spec;
  if (delivery !== "group" && delivery !== "broadcast") {
    offences.push({
      place: ".delivery",
      message: `${JSON.stringify(delivery)} is not a delivery.`,
      fix: 'Say "group" (one instance handles it) or "broadcast" (every live one does).',
    });
  }
  if (retentionMs !== undefined && delivery === "broadcast") {
    offences.push({
      place: ".retentionMs",
      message: "A broadcast keeps nothing for who is not there.",
      fix: 'Leave it out, or say delivery: "group".',
    });
  }
  return backoff === undefined ? offences : [...offences, ...backoffOffences(backoff)];
}

function backoffOffences(backoff: NonNullable<SubscriptionSpec["backoff"]>): readonly Offence[] {
  const place = ".backoff";
  if (typeof backoff !== "object" || backoff === null) {
    const message = `${JSON.stringify(backoff)} is not a backoff.`;
    return [{ place, message, fix: "Write it as { initialMs: 1000 }." }];
  }
  const offences = [
    ...misspelt("backoff", backoff, place),
    ...outOfBounds(backoff, backoffBounds, place),
  ];
  const { initialMs = 0, maxMs = maxDefaultMs, jitter = "full" } = backoff;
  if (initialMs > maxMs) {
    offences.push({
      place: `${place}.initialMs`,
      message: `The first wait of ${initialMs} ms is longer than the longest, ${maxMs} ms.`,
      fix: `Set maxMs to ${initialMs} or more; unless set it is ${maxDefaultMs}.`,
    });
  }
  if (jitter !== "full" && jitter !== "none") {
    offences.push({
      place: `${place}.jitter`,
      message: `${JSON.stringify(jitter)} is not a jitter.`,
      fix: 'Say "full" or "none".',
    });
  }
  return offences;
}

function misspelt(part: "subscription" | "backoff", spec: object, prefix: string): Offence[] {
  return unknownKeys(part, spec).map(({ key, fix }) => ({
    place: `${prefix}.${key}`,
    message: `"${key}" is not a key of this part of a contract.`,
    fix,
  }));
}

function outOfBounds(
  part: object,
  allowed: Readonly<Record<string, Bound>>,
  prefix: string,
): Offence[] {
  return Object.entries(part).flatMap(([key, value]: [string, unknown]) => {
    const bound = Object.hasOwn(allowed, key) ? allowed[key] : undefined;
    if (bound === undefined || value === undefined) return [];
    const { min, max, isWhole } = bound;
    const fits = typeof value === "number" && value >= min && value <= max;
    if (fits && (!isWhole || Number.isInteger(value))) return [];
    const found = typeof value === "number" ? value : JSON.stringify(value);
    const fix = `Use ${isWhole ? "an integer" : "a number"} of ${min} to ${max}.`;
    return [{ place: `${prefix}.${key}`, message: `${found} is out of bounds.`, fix }];
  });
}
