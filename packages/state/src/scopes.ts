/**
 * Scopes of one service: namespaces that it makes while it runs (an organisation, a user's
 * application), each with an owner, and the stores that it declared as `scoped`, once in each.
 *
 * What it owns: a registry, one entry for each scope. What may interrupt it: other nodes, between
 * two steps; a deletion that was cut off is taken up by the next one.
 *
 * S1. A store is handed out only while its scope is in the registry, and not being deleted.
 * S2. A scope leaves the registry last, after all of its entries: what is not listed is empty.
 * S3. A scope of one service is never one of another: it is kept as `<service>/<scope>#<life>`,
 *     and a service's name has no slash.
 * S4. A scope that is made again under its name has another life: who kept a store of the one
 *     before neither sees nor touches what is in it.
 */

import { isBanyanError, systemClock, systemRandom, t } from "@banyan/kernel";
import type {
  Clock,
  Etag,
  Random,
  RevisedEntry,
  RevisedStore,
  Scope,
  ScopeOptions,
  ScopePage,
  ScopeQuery,
  ScopedStore,
  Scopes,
  ScopeUsage,
  Static,
  Store,
  StoreSpec,
  Waiting,
} from "@banyan/kernel";
import type { OperationObserver } from "@banyan/telemetry/internal";
import type { StateEngine } from "./engine.ts";
import { emptyStore } from "./empty-store.ts";
import { stateErrors } from "./errors.ts";
import { engineFailure } from "./failures.ts";
import { showKey } from "./keys.ts";
import { openStore } from "./open-store.ts";
import { forgetOperations } from "./operation-records.ts";
import { assertWithin, BATCH_MAX } from "./options.ts";
import { isStorableText } from "./storable-text.ts";

/** A store that its contract declared as scoped, and where it is kept. */
export interface ScopedDeclaration {
  readonly name: string;
  readonly spec: StoreSpec;
  readonly engine: StateEngine;
}

export interface ServiceScopesOptions {
  readonly service: string;
  /** Keeps the registry: as durable as the most durable of the stores. */
  readonly engine: StateEngine;
  readonly stores: readonly ScopedDeclaration[];
  readonly clock?: Clock;
  readonly random?: Random;
  /** Of a store's operations, for all scopes together. */
  readonly observerOf?: (store: ScopedDeclaration) => OperationObserver | undefined;
}

/** The scopes, and the stores in them by their declared names. */
export interface ServiceScopes {
  readonly scopes: Scopes;
  readonly stores: Readonly<Record<string, ScopedStore<unknown>>>;
}

const record = t.Object({
  owner: t.String(),
  /** Random: no two scopes have the same, also where one follows the other under a name. */
  life: t.String(),
  summary: t.Optional(t.String()),
  state: t.Enum(["open", "going"]),
});
type ScopeRecord = Static<typeof record>;
type ScopeEntry = RevisedEntry<ScopeRecord>;

/** No contract can declare a store of this name. */
const registryName = "node.scopes";
/** Of service and scope together, with what stands between and behind them. */
const SCOPE_BYTES_MAX = 128;
const LIFE_LENGTH = 9;
const OWNER_BYTES_MAX = 256;
const SUMMARY_BYTES_MAX = 1024;
/** Stores that are kept open; opening one again is a question to its engine. */
const OPEN_MAX = 1000;

/** A scope's own name, from what engines know it as (S3). */
export function scopeNameOf(place: string): string {
  return place.slice(place.indexOf("/") + 1, place.lastIndexOf("#"));
}

export async function openServiceScopes(options: ServiceScopesOptions): Promise<ServiceScopes> {
  const { service, engine, clock = systemClock, random = systemRandom } = options;
  const registry = await openStore(engine, {
    scope: service,
    name: registryName,
    spec: { value: record, durability: engine.durability, capabilities: ["revisions"] as const },
    clock,
    random,
  });
  const scopes = new RegisteredScopes(registry, { ...options, clock, random });
  const stores = options.stores.map((each) => [each.name, scopes.storesOf(each)] as const);
  return { scopes, stores: Object.freeze(Object.fromEntries(stores)) };
}

class RegisteredScopes implements Scopes {
  readonly #registry: RevisedStore<ScopeRecord>;
  readonly #options: ServiceScopesOptions & { readonly clock: Clock; readonly random: Random };
  /** The least used first. */
  readonly #open = new Map<string, Promise<Store<unknown>>>();

  constructor(
    registry: RevisedStore<ScopeRecord>,
    options: ServiceScopesOptions & { readonly clock: Clock; readonly random: Random },
  ) {
    this.#registry = registry;
    this.#options = options;
  }

  async create(name: string, options: ScopeOptions): Promise<Scope> {
    this.#assertName(name);
    const { owner, summary } = options;
    assertText(owner, { what: "owner", bytesMin: 1, bytesMax: OWNER_BYTES_MAX });
    if (summary !== undefined) {
      assertText(summary, { what: "summary", bytesMin: 0, bytesMax: SUMMARY_BYTES_MAX });
    }
    const value: ScopeRecord = {
      owner,
      life: this.#newLife(),
      state: "open",
      ...(summary === undefined ? {} : { summary }),
    };
    try {
      await this.#registry.set(name, value, { ifAbsent: true, signal: options.signal });
    } catch (error) {
      if (!isBanyanError(error, "STATE_VERSION_CONFLICT")) throw error;
    }
    const found = await this.#registry.getEntry(name, options);
    if (found === undefined || found.value.state === "going") throw this.#going(name);
    if (found.value.owner !== owner) throw this.#taken(name);
    return scopeOf(found);
  }

  async get(name: string, options?: Waiting): Promise<Scope | undefined> {
    this.#assertName(name);
    const found = await this.#registry.getEntry(name, options);
    return found === undefined ? undefined : scopeOf(found);
  }

  async list(query: ScopeQuery = {}): Promise<ScopePage> {
    const { owner, limit = 100, signal } = query;
    assertWithin("limit", limit, { min: 1, max: BATCH_MAX });
    const scopes: Scope[] = [];
    let { after } = query;
    for (;;) {
      // Whoever asks for one owner's is asked to look at others', a page at a time.
      const page = await this.#registry.scan({
        after,
        limit: owner === undefined ? limit : 1000,
        signal,
      });
      for (const entry of page.entries) {
        if (owner !== undefined && entry.value.owner !== owner) continue;
        if (scopes.length === limit) return { scopes, next: scopes.at(-1)?.name };
        scopes.push(scopeOf(entry));
      }
      after = page.next;
      if (after === undefined) return { scopes, next: undefined };
      if (scopes.length === limit) return { scopes, next: scopes.at(-1)?.name };
    }
  }

  async usage(name: string, options: Waiting = {}): Promise<ScopeUsage> {
    const found = await this.#find(name, options);
    const counts = await Promise.all(
      this.#options.stores.map(async (declared) => {
        const store = await this.#storeIn(found, declared);
        return [declared.name, await store.count(options)] as const;
      }),
    );
    const entries = counts.reduce((sum, [, count]) => sum + count, 0);
    return { ...scopeOf(found), entries, stores: Object.fromEntries(counts) };
  }

  async delete(
    name: string,
    options: Waiting & { readonly owner?: string | undefined } = {},
  ): Promise<boolean> {
    this.#assertName(name);
    const { signal } = options;
    for (;;) {
      const found = await this.#registry.getEntry(name, options);
      if (found === undefined) return false;
      this.#assertOwner(found, options.owner);
      try {
        // Nobody is let in from here on; who comes second takes up what the first began.
        const etag = await this.#close(found, options);
        await this.#empty(found, options);
        await this.#registry.delete(name, { ifMatch: etag, signal });
        return true;
      } catch (error) {
        // Somebody else deletes it too: whoever is last says so.
        if (!isBanyanError(error, "STATE_VERSION_CONFLICT")) throw error;
      }
    }
  }

  async #close({ key, value, etag }: ScopeEntry, { signal }: Waiting): Promise<Etag> {
    if (value.state === "going") return etag;
    const going: ScopeRecord = { ...value, state: "going" };
    return await this.#registry.set(key, going, { ifMatch: etag, signal });
  }

  async #empty(found: ScopeEntry, options: Waiting): Promise<void> {
    const { stores } = this.#options;
    const scope = this.#placeOf(found);
    const told = async (engine: StateEngine, emptied: Promise<void>): Promise<void> =>
      emptied.catch((error: unknown) => {
        throw engineFailure(error, engine.name, scope);
      });
    for (const { name, engine } of stores) {
      await told(engine, emptyStore(engine, { scope, name }, options));
    }
    for (const engine of new Set(stores.map((each) => each.engine))) {
      await told(engine, forgetOperations(engine, scope, options));
    }
    for (const declared of stores) this.#open.delete(idOf(found, declared));
  }

  storesOf(declared: ScopedDeclaration): ScopedStore<unknown> {
    return Object.freeze({
      in: async (
        name: string,
        options: Waiting & { readonly owner?: string | undefined } = {},
      ): Promise<Store<unknown>> => {
        const found = await this.#find(name, options);
        if (found.value.state === "going") throw this.#going(name);
        this.#assertOwner(found, options.owner);
        return this.#storeIn(found, declared);
      },
    });
  }

  async #find(name: string, options: Waiting): Promise<ScopeEntry> {
    this.#assertName(name);
    const found = await this.#registry.getEntry(name, options);
    if (found !== undefined) return found;
    const { service } = this.#options;
    throw stateErrors.STATE_SCOPE_UNKNOWN(
      `The service ${service} has no scope ${showKey(name)}; make it first, by scopes.create.`,
      { details: { service, scope: name } },
    );
  }

  #storeIn(found: ScopeEntry, declared: ScopedDeclaration): Promise<Store<unknown>> {
    const id = idOf(found, declared);
    const known = this.#open.get(id) ?? this.#openIn(id, this.#placeOf(found), declared);
    this.#open.delete(id);
    this.#open.set(id, known);
    const [oldest] = this.#open.keys();
    if (this.#open.size > OPEN_MAX && oldest !== undefined) this.#open.delete(oldest);
    return known;
  }

  #openIn(id: string, scope: string, declared: ScopedDeclaration): Promise<Store<unknown>> {
    const { clock, random, observerOf } = this.#options;
    const { name, spec, engine } = declared;
    const observer = observerOf?.(declared);
    const opening = openStore(engine, { scope, name, spec, clock, random, observer });
    opening.catch(() => {
      // The next caller opens it anew; one that did already is left alone.
      if (this.#open.get(id) === opening) this.#open.delete(id);
    });
    return opening;
  }

  /** The scope as engines know it. */
  #placeOf({ key, value }: ScopeEntry): string {
    return `${this.#options.service}/${key}#${value.life}`;
  }

  #newLife(): string {
    const number = Math.floor(this.#options.random.next() * 36 ** LIFE_LENGTH);
    return number.toString(36).padStart(LIFE_LENGTH, "0");
  }

  #assertName(name: string): void {
    const added = "/#".length + LIFE_LENGTH;
    const bytesMax = SCOPE_BYTES_MAX - Buffer.byteLength(this.#options.service) - added;
    assertText(name, { what: "name", bytesMin: 1, bytesMax });
  }

  #assertOwner({ key, value }: ScopeEntry, owner: string | undefined): void {
    if (owner === undefined || owner === value.owner) return;
    throw stateErrors.STATE_SCOPE_FOREIGN(
      `The scope ${showKey(key)} of the service ${this.#options.service} belongs to somebody else.`,
      { details: { service: this.#options.service, scope: key } },
    );
  }

  #taken(name: string): Error {
    const { service } = this.#options;
    return stateErrors.STATE_SCOPE_TAKEN(
      `The service ${service} has a scope ${showKey(name)} already, of another owner; choose ` +
        `another name.`,
      { details: { service, scope: name } },
    );
  }

  #going(name: string): Error {
    const { service } = this.#options;
    return stateErrors.STATE_SCOPE_GOING(
      `The scope ${showKey(name)} of the service ${service} is being deleted; wait until it is, or ` +
        `call scopes.delete again to finish what was cut off.`,
      { details: { service, scope: name } },
    );
  }
}

function idOf({ key, value }: ScopeEntry, { name }: ScopedDeclaration): string {
  return JSON.stringify([key, value.life, name]);
}

function scopeOf({ key, value, createdAtMs }: ScopeEntry): Scope {
  const { owner, summary, state } = value;
  return { name: key, owner, summary, createdAtMs, isGoing: state === "going" };
}

/** @throws STATE_SCOPE_INVALID */
function assertText(
  text: unknown,
  { what, bytesMin, bytesMax }: { what: string; bytesMin: number; bytesMax: number },
): void {
  if (typeof text === "string" && isStorableText(text)) {
    const bytes = Buffer.byteLength(text);
    if (bytes >= bytesMin && bytes <= bytesMax) return;
  }
  throw stateErrors.STATE_SCOPE_INVALID(
    `The ${what} of a scope, ${showKey(text)}, is not ${bytesMin} to ${bytesMax} bytes of Unicode ` +
      `text without U+0000 and lone surrogates.`,
    { details: { what } },
  );
}
