/** Bounds of what a fleet is opened with: what is out of them would fail much later. */

import { meshErrors } from "./errors.ts";

interface Bound {
  readonly min: number;
  readonly max: number;
  /** What it is, and one that would do. */
  readonly fix: string;
  readonly isWhole?: boolean;
}

const bounds = {
  heartbeatMs: { min: 1, max: 3_600_000, fix: "milliseconds from 1 to 3600000, such as 1500" },
  callsMax: {
    min: 1,
    max: 1_000_000,
    fix: "a whole number from 1 to 1000000, such as 10000",
    isWhole: true,
  },
  messageBytesMax: {
    min: 1,
    max: 1024 ** 3,
    fix: "a whole number of bytes from 1 to 1073741824, such as 16777216",
    isWhole: true,
  },
  streamAhead: {
    min: 0,
    max: 65_535, // it is two bytes of a frame
    fix: "a whole number from 0 to 65535, such as 0",
    isWhole: true,
  },
  loadMax: { min: Number.MIN_VALUE, max: 1, fix: "a share above 0 and at most 1, such as 0.8" },
} as const satisfies Record<string, Bound>;

const secretLengthMin = 32;

interface Secrets {
  readonly secret?: string | undefined;
  readonly acceptedSecret?: string | undefined;
  readonly tls?: { readonly mutual?: boolean | undefined } | undefined;
}

type Bounded = { readonly [name in keyof typeof bounds]?: number | undefined };

/** @throws MESH_OPTIONS_INVALID */
export function assertFleetBounds(options: Bounded & Secrets): void {
  assertSecrets(options);
  const all: readonly (readonly [string, Bound])[] = Object.entries(bounds);
  const values: Readonly<Record<string, unknown>> = { ...options };
  for (const [name, { min, max, fix, isWhole = false }] of all) {
    const value = values[name];
    if (value === undefined) continue;
    const isNumber = typeof value === "number" && value >= min && value <= max;
    if (isNumber && (!isWhole || Number.isInteger(value))) continue;
    throw meshErrors.MESH_OPTIONS_INVALID(`The mesh's ${name} is ${shown(value)}; say ${fix}.`);
  }
}

function shown(value: unknown): string {
  return typeof value === "number" ? String(value) : JSON.stringify(value);
}

function assertSecrets({ tls, secret, acceptedSecret }: Secrets): void {
  const isProved = tls !== undefined && tls.mutual !== false;
  if (!isProved && (secret?.length ?? 0) < secretLengthMin) {
    throw meshErrors.MESH_OPTIONS_INVALID(
      `A mesh of several nodes needs a secret of at least ${secretLengthMin} characters that all of ` +
        "them know, or certificates of both sides (tls); for one: openssl rand -hex 32.",
    );
  }
  if (acceptedSecret === undefined) return;
  if (secret === undefined || acceptedSecret.length < secretLengthMin) {
    throw meshErrors.MESH_OPTIONS_INVALID(
      `An acceptedSecret is beside a secret, and as long: at least ${secretLengthMin} characters.`,
    );
  }
}
