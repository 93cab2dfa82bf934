/**
 * One store on Redis: reads are plain commands, writes are scripts.
 *
 * What it owns: nothing but names. What may interrupt it: everybody else who writes.
 *
 * S1. A method hands its question over before it first waits, so writes take effect in the order of
 *     the calls (E8).
 * S2. Every question is about one slot: the scope's.
 */

import { isBanyanError } from "@banyan/kernel";
import type { Etag, Waiting } from "@banyan/kernel";
import { compareKeys, prefixEnd } from "@banyan/state";
import type {
  Condition,
  DeleteOutcome,
  EngineChange,
  EngineEntry,
  EngineScan,
  EngineStore,
  EngineWrite,
  WriteOutcome,
} from "@banyan/state";
import type { StoreKeys } from "./layout.ts";
import type { RedisLink } from "./link.ts";
import { parseRecord, printHead, printRecord, unreadableError } from "./record.ts";
import { scriptQuestion } from "./request.ts";
import type { PlainWrite, RedisReply } from "./request.ts";
import type { RedisScript } from "./scripts.ts";

/** What a store needs from its engine. */
export interface StoreKeeper {
  readonly nextEtag: () => Etag;
  /** @throws CLOSED */
  link(): RedisLink;
  /** Checks and changes as one step; how many were deleted, or `undefined` for a conflict. */
  commit(step: CommitStep, waiting: Waiting): Promise<number | undefined>;
}

/** One step of several entries. */
export interface CommitStep {
  readonly checks: readonly { store: RedisStore; key: string; etag: Etag | undefined }[];
  readonly changes: readonly PlannedChange[];
}

/** A change as the script takes it. */
export interface PlannedChange {
  readonly store: RedisStore;
  readonly key: string;
  /** `undefined`: delete. */
  readonly put: PlannedPut | undefined;
}

interface PlannedPut {
  readonly etag: Etag;
  readonly expiry: string;
  /** The whole entry, or its head where the script counts the revision. */
  readonly text: string;
  readonly json: string | undefined;
}

const CONFLICT = Object.freeze({ kind: "conflict" } as const);

export class RedisStore implements EngineStore {
  readonly keys: StoreKeys;
  readonly #keeper: StoreKeeper;
  #isRevised = false;

  constructor(keys: StoreKeys, keeper: StoreKeeper) {
    this.keys = keys;
    this.#keeper = keeper;
  }

  /** What one of its views asked for, all get. */
  ask({ revisions }: { readonly revisions: boolean }): void {
    if (revisions) this.#isRevised = true;
  }

  async get(key: string, waiting?: Waiting): Promise<EngineEntry | undefined> {
    try {
      return this.#parse(key, await this.#read("get", [this.#entry(key)], waiting));
    } catch (error) {
      // The server says that it is no text, not of which entry.
      if (!isBanyanError(error, "STATE_VALUE_UNREADABLE")) throw error;
      if (error.details?.["key"] !== undefined) throw error;
      throw unreadableError({ store: this.keys.label, key }, error);
    }
  }

  async getMany(
    keys: readonly string[],
    waiting?: Waiting,
  ): Promise<readonly (EngineEntry | undefined)[]> {
    if (keys.length === 0) return [];
    const args = keys.map((key) => this.#entry(key));
    const texts = listOf(await this.#read("mget", args, waiting));
    return keys.map((key, index) => this.#parse(key, texts[index]));
  }

  async has(key: string, waiting?: Waiting): Promise<boolean> {
    return (await this.#read("exists", [this.#entry(key)], waiting)) === 1;
  }

  async set(write: EngineWrite, condition: Condition = {}): Promise<WriteOutcome> {
    const { etag, expiry, text, json } = this.#put(write);
    const { ifMatch, ifAbsent = false } = condition;
    const stored = ifMatch !== undefined ? `=${ifMatch}` : ifAbsent ? "-" : "";
    const isPlain = stored === "" && expiry === "none" && json === undefined;
    const { index, expiring } = this.keys;
    const entry = this.#entry(write.key);
    const reply = await this.#call(this.#scripts.set, {
      keys: [entry, index, expiring],
      args: json === undefined ? [stored, expiry, text] : [stored, expiry, text, json],
      writes: true,
      waiting: condition,
      plain: isPlain ? { store: this.keys, entry, text } : undefined,
    });
    return reply === 0 ? CONFLICT : { kind: "written", etag };
  }

  async setMany(writes: readonly EngineWrite[], waiting: Waiting = {}): Promise<readonly Etag[]> {
    const puts = writes.map((write) => this.#put(write));
    const changes = writes.map(({ key }, index) => ({ store: this, key, put: puts[index] }));
    await this.#keeper.commit({ checks: [], changes }, waiting);
    return puts.map(({ etag }) => etag);
  }

  async delete(key: string, condition: Condition = {}): Promise<DeleteOutcome> {
    const { ifMatch } = condition;
    const { index, expiring } = this.keys;
    const entry = this.#entry(key);
    const deleted = await this.#call(this.#scripts.delete, {
      keys: [entry, index, expiring],
      args: [ifMatch === undefined ? "" : `=${ifMatch}`],
      writes: true,
      waiting: condition,
      plain: ifMatch === undefined ? { store: this.keys, entry, text: undefined } : undefined,
    });
    return deleted === -1 ? CONFLICT : { kind: "deleted", existed: deleted === 1 };
  }

  async deleteMany(keys: readonly string[], waiting: Waiting = {}): Promise<number> {
    const changes = keys.map((key) => ({ store: this, key, put: undefined }));
    return (await this.#keeper.commit({ checks: [], changes }, waiting)) ?? 0;
  }

  async scan(scan: EngineScan, waiting?: Waiting): Promise<readonly EngineEntry[]> {
    const { prefix, after, limit } = scan;
    const isPast = after !== undefined && compareKeys(after, prefix) >= 0;
    const end = prefixEnd(prefix);
    const to = end === undefined ? "+" : `(${end}`;
    let from = isPast ? `(${after}` : `[${prefix}`;
    const page: EngineEntry[] = [];
    do {
      const args = [from, to, String(limit - page.length)];
      const keys = [this.keys.index, this.keys.expiring];
      const reply = await this.#call(this.#scripts.scan, { keys, args, writes: false, waiting });
      const [next, ...found] = listOf(reply).map(String);
      for (let at = 0; at + 1 < found.length; at += 2) {
        const [key = "", text = ""] = found.slice(at, at + 2);
        page.push(parseRecord(text, { store: this.keys.label, key, isRevised: this.#isRevised }));
      }
      // Not empty: a long row of entries that are over was in the way.
      from = next ?? "";
    } while (from !== "");
    return page;
  }

  /** The index is counted as it is kept, so this is no walk. */
  async count(waiting?: Waiting): Promise<number> {
    const keys = [this.keys.index, this.keys.expiring];
    return Number(
      await this.#call(this.#scripts.count, { keys, args: [], writes: false, waiting }),
    );
  }

  /** Forgets at most so many entries that are over; true when there may be more. */
  async sweep(most: number): Promise<boolean> {
    const keys = [this.keys.index, this.keys.expiring];
    return (
      Number(
        await this.#call(this.#scripts.sweep, { keys, args: [String(most)], writes: false }),
      ) === most
    );
  }

  /** A change of a transaction. */
  plan(change: EngineChange): PlannedChange {
    return change.kind === "set"
      ? { store: this, key: change.write.key, put: this.#put(change.write) }
      : { store: this, key: change.key, put: undefined };
  }

  get #scripts() {
    return this.#keeper.link().scripts;
  }

  #put({ value, version, expiry, etag: given }: EngineWrite): PlannedPut {
    const etag = given ?? this.#keeper.nextEtag();
    const head = printHead(etag, version);
    const json = JSON.stringify(value);
    // Whole milliseconds are what Redis takes.
    const stored = typeof expiry === "number" ? String(Math.ceil(expiry)) : expiry;
    return this.#isRevised
      ? { etag, expiry: stored, text: head, json }
      : { etag, expiry: stored, text: printRecord(head, json), json: undefined };
  }

  #read(name: string, args: readonly string[], waiting?: Waiting): Promise<RedisReply> {
    const { tag } = this.keys;
    return this.#keeper.link().ask({ name, args, tag, writes: false }, waiting);
  }

  #call(
    script: RedisScript,
    call: {
      readonly keys: readonly string[];
      readonly args: readonly string[];
      readonly writes: boolean;
      readonly waiting?: Waiting | undefined;
      readonly plain?: PlainWrite | undefined;
    },
  ): Promise<RedisReply> {
    const question = scriptQuestion(script, { ...call, tag: this.keys.tag });
    return this.#keeper.link().ask(question, call.waiting);
  }

  #parse(key: string, text: RedisReply | undefined): EngineEntry | undefined {
    if (typeof text !== "string") return undefined;
    return parseRecord(text, { store: this.keys.label, key, isRevised: this.#isRevised });
  }

  #entry(key: string): string {
    return this.keys.entries + key;
  }
}

function listOf(reply: RedisReply): readonly RedisReply[] {
  return typeof reply === "object" && reply !== null ? reply : [];
}
