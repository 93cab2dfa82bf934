/**
 * Between a value as its author has it and an entry as an engine keeps it: copied by the schema in
 * both directions, checked and measured on the way in, upgraded on the way out.
 */

import type { Entry, RevisedEntry, Upgrades } from "@banyan/kernel";
import type { Codec } from "@banyan/kernel/internal";
import { unknownRevision } from "./engine.ts";
import type { EngineEntry, EngineWrite, Expiry } from "./engine.ts";
import { stateErrors } from "./errors.ts";
import { showKey } from "./keys.ts";
import { assertWithin, TTL_MS_MAX } from "./options.ts";
import { examineValue } from "./stored-value.ts";

export interface EntryCodecParts {
  /** `greeter.visits`, for messages. */
  readonly label: string;
  readonly input: Codec;
  readonly output: Codec;
  readonly version: number;
  readonly upgrades: Upgrades;
  /** Why a time to live is refused, or `undefined` where it is welcome. */
  readonly ttlRefusal: ((ttlMs: number) => Error) | undefined;
  readonly valueBytesMax: number;
  /** Whether the store asked for `revisions`. */
  readonly revised: boolean;
}

export class EntryCodec<V> {
  readonly #parts: EntryCodecParts;

  constructor(parts: EntryCodecParts) {
    this.#parts = parts;
  }

  /** @throws STATE_VALUE_INVALID, STATE_VALUE_TOO_LARGE */
  encode(key: string, value: V, expiry: Expiry): EngineWrite {
    const { label, input, valueBytesMax, version } = this.#parts;
    if (value instanceof Promise) {
      throw stateErrors.STATE_VALUE_INVALID(
        `The value for key ${showKey(key)} of store ${label} is a promise; await it first ` +
          `(the function given to update must be synchronous).`,
        { details: { store: label, key } },
      );
    }
    const examined = examineValue(input.parse(value, "strict"), valueBytesMax);
    if (examined.issue !== undefined) {
      throw stateErrors.STATE_VALUE_INVALID(
        `The value for key ${showKey(key)} of store ${label} is not valid: ` +
          examined.issue.message,
        { details: { store: label, key, issues: [examined.issue] } },
      );
    }
    if (examined.bytes > valueBytesMax) {
      throw stateErrors.STATE_VALUE_TOO_LARGE(
        `The value for key ${showKey(key)} of store ${label} is ${examined.bytes} bytes of JSON; ` +
          `at most ${valueBytesMax} are allowed.`,
        { details: { store: label, key, bytes: examined.bytes, bytesMax: valueBytesMax } },
      );
    }
    return { key, value: examined.value, version, expiry };
  }

  /** A copy for the author of what was just encoded; made before the engine has it. */
  copy(write: EngineWrite): V {
    // The codec keeps V.
    return this.#parts.input.parse(write.value, "trusted") as V;
  }

  /** @throws STATE_VALUE_UNREADABLE, STATE_VALUE_NEWER */
  decode(entry: Pick<EngineEntry, "key" | "value" | "version">): V {
    const { version, output } = this.#parts;
    const value = entry.version === version ? entry.value : this.#upgrade(entry);
    try {
      // The codec has just checked it against the schema that V comes from.
      return output.parse(value, "tolerant") as V;
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw this.#unreadable(entry, `does not fit its schema: ${reason}`, error);
    }
  }

  decodeEntry(entry: EngineEntry): Entry<V> | RevisedEntry<V> {
    const { key, etag } = entry;
    const value = this.decode(entry);
    if (!this.#parts.revised) return { key, value, etag };
    const { revision, createdAtMs, updatedAtMs } = entry.revision ?? unknownRevision;
    return { key, value, etag, revision, createdAtMs, updatedAtMs };
  }

  /** @throws STATE_TTL_NOT_ALLOWED, STATE_CAPABILITY_MISSING, STATE_OPTION_INVALID */
  expiryOf(ttlMs: number | undefined): Expiry {
    if (ttlMs === undefined) return "none";
    const refusal = this.#parts.ttlRefusal?.(ttlMs);
    if (refusal !== undefined) throw refusal;
    assertWithin("ttlMs", ttlMs, { min: 1, max: TTL_MS_MAX });
    return ttlMs;
  }

  #upgrade(entry: Pick<EngineEntry, "key" | "value" | "version">): unknown {
    const { version, upgrades, label } = this.#parts;
    if (entry.version > version) {
      throw stateErrors.STATE_VALUE_NEWER(
        `Key ${showKey(entry.key)} of store ${label} was written at version ${entry.version}, ` +
          `this node knows ${version}; run the newer version of the service.`,
        { details: { store: label, key: entry.key, version: entry.version, known: version } },
      );
    }
    // An upgrade may change what it is given, and the engine still holds this object.
    let value: unknown = structuredClone(entry.value);
    for (let from = entry.version; from < version; from += 1) {
      const lift = upgrades[from];
      if (lift === undefined) {
        const text = `is of version ${from}, and the contract has no upgrade from it`;
        throw this.#unreadable(entry, text, undefined);
      }
      try {
        value = lift(value);
      } catch (cause) {
        throw this.#unreadable(entry, `could not be upgraded from version ${from}`, cause);
      }
    }
    return value;
  }

  #unreadable(entry: Pick<EngineEntry, "key" | "version">, why: string, cause: unknown): Error {
    const { label } = this.#parts;
    return stateErrors.STATE_VALUE_UNREADABLE(
      `The value of key ${showKey(entry.key)} in store ${label} ${why}. Raise the store's ` +
        `version and give an upgrade that makes it fit.`,
      { details: { store: label, key: entry.key, version: entry.version }, cause },
    );
  }
}
