/**
 * Records of writes that have an `operationId`: what was asked, and what it was answered. One store
 * for each scope, on the engine of the stores that are written, so that a record and its write are
 * one step of the engine.
 *
 * What it owns: nothing; the engine keeps the entries, and forgets them when their time is over.
 */

import type { BanyanError, Waiting } from "@banyan/kernel";
import { StateCapability } from "./engine.ts";
import type { EngineChange, EngineCheck, EngineEntry, EngineStore, StateEngine } from "./engine.ts";
import { emptyStore } from "./empty-store.ts";
import { stateErrors } from "./errors.ts";

/** Which write it is. */
export interface OperationName {
  readonly id: string;
  /** Of the request: another one under the same id is refused. */
  readonly digest: string;
}

/** A write that is done at most once. */
export interface Operation<R> extends OperationName {
  /**
   * Whether the first try may do without a look at the record: its run is cheap, and the commit
   * finds out. Others never run for an id that has a record.
   */
  readonly isBlind: boolean;
  /** JSON data for the record. @throws STATE_VALUE_INVALID, STATE_VALUE_TOO_LARGE */
  encode(result: R): unknown;
  /** A fresh copy for who asks. */
  decode(answer: unknown): R;
}

/** As an engine keeps it. `answer` is left out for `undefined`. */
interface OperationRecord {
  readonly digest: string;
  readonly answer?: unknown;
}

/** Beside the stores of the same scope. No contract can declare a store of this name. */
const STORE_NAME = ".operations";
const RECORD_VERSION = 1;

/** @throws STATE_OPERATION_INVALID */
export function assertOperationId(id: string): void {
  if (typeof id === "string" && /^[\x21-\x7e]{1,128}$/.test(id)) return;
  throw stateErrors.STATE_OPERATION_INVALID(
    `The operationId ${JSON.stringify(id)} must be 1 to 128 visible ASCII characters.`,
  );
}

/** @throws STATE_CAPABILITY_MISSING where the engine can keep none */
export async function openOperationRecords(
  engine: StateEngine,
  scope: string,
  keptMs: number,
): Promise<OperationRecords> {
  const needed = [StateCapability.Transaction, StateCapability.Expires];
  for (const capability of needed) {
    if (!engine.capabilities.has(capability)) throw missing(engine, scope, capability);
  }
  const { durability } = engine;
  const capabilities = new Set(needed);
  const store = await engine.openStore({ scope, name: STORE_NAME, durability, capabilities });
  return new OperationRecords(store, keptMs);
}

/** Of a scope that is deleted: who makes it again must not be answered for the one before. */
export async function forgetOperations(
  engine: StateEngine,
  scope: string,
  options: Waiting,
): Promise<void> {
  const capabilities = new Set([StateCapability.Transaction, StateCapability.Expires]);
  if (!capabilities.isSubsetOf(engine.capabilities)) return;
  await emptyStore(engine, { scope, name: STORE_NAME }, options);
}

/** The records of one scope. */
export class OperationRecords {
  readonly #store: EngineStore;
  readonly #keptMs: number;

  constructor(store: EngineStore, keptMs: number) {
    this.#store = store;
    this.#keptMs = keptMs;
  }

  /**
   * What the write was answered, in a box of its own; `undefined` where nothing is recorded.
   * @throws STATE_OPERATION_MISMATCH
   */
  async find<R>(
    { id, digest, decode }: Operation<R>,
    options: Waiting,
  ): Promise<{ answer: R } | undefined> {
    const entry = await this.#store.get(id, options);
    if (entry === undefined) return undefined;
    const record = recordIn(entry);
    if (record.digest !== digest) throw mismatch(id);
    return { answer: decode(record.answer) };
  }

  /** Nobody has done it. */
  absence({ id }: OperationName): EngineCheck {
    return { store: this.#store, key: id, etag: undefined };
  }

  /** It is done, with this answer. */
  entry({ id, digest }: OperationName, answer: unknown): EngineChange {
    const value: OperationRecord = answer === undefined ? { digest } : { digest, answer };
    const write = { key: id, value, version: RECORD_VERSION, expiry: this.#keptMs };
    return { kind: "set", store: this.#store, write };
  }
}

/** @throws STATE_VALUE_NEWER, STATE_VALUE_UNREADABLE */
function recordIn({ key, value, version }: EngineEntry): OperationRecord {
  if (version > RECORD_VERSION) {
    throw stateErrors.STATE_VALUE_NEWER(
      `The record of the operation ${key} was written by a newer version of Banyan; run that ` +
        `version, or newer.`,
      { details: { operationId: key, version, known: RECORD_VERSION } },
    );
  }
  if (typeof value === "object" && value !== null && "digest" in value) {
    const { digest } = value;
    if (typeof digest === "string") {
      return "answer" in value ? { digest, answer: value.answer } : { digest };
    }
  }
  throw stateErrors.STATE_VALUE_UNREADABLE(
    `The record of the operation ${key} was not written by a store; nothing was done.`,
    { details: { operationId: key } },
  );
}

function mismatch(id: string): BanyanError {
  return stateErrors.STATE_OPERATION_MISMATCH(
    `The operationId ${id} was used for another write; nothing was written. Give each write an id ` +
      `of its own, and the same one only to ask for the same write again.`,
    { details: { operationId: id } },
  );
}

function missing(engine: StateEngine, scope: string, capability: StateCapability): BanyanError {
  return stateErrors.STATE_CAPABILITY_MISSING(
    `A write of ${scope} has an operationId, which needs "${capability}", and the engine ` +
      `${engine.name} does not offer it: choose one that does, or leave the operationId out and ` +
      `make the write conditional.`,
    { details: { capability, engine: engine.name } },
  );
}
