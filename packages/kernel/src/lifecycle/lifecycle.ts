/**
 * A lifecycle: the events that tell of every change of an entity, and the stores that owner and
 * replicas keep, all derived from the entity's schema.
 *
 * Every event carries the whole entity without its hidden fields (`state`) and a `version` that
 * ascends over the life of a key, also over its deletion. So events may come twice or in any order:
 * whoever keeps a copy takes what is newer than what it has. Both sides are in `track-changes.ts`
 * and `apply-change.ts`.
 */

import type {
  TArray,
  TInteger,
  TLiteral,
  TObject,
  TOptional,
  TProperties,
  TString,
  TUnsafe,
} from "typebox";
import { offencesError } from "../contract/check.ts";
import type { Offence } from "../contract/check.ts";
import type { Upgrades } from "../contract/contract-spec.ts";
import type { InferOutput } from "../schema/standard.ts";
import { t } from "../schema/t.ts";

/** The properties that others see. */
export type VisibleProperties<P extends TProperties, H extends keyof P> = {
  [K in keyof P as K extends H ? never : K]: P[K];
};
type VisibleName<P extends TProperties, H extends keyof P> = Exclude<keyof P, H> & string;
type StateSchema<P extends TProperties, H extends keyof P> = TObject<VisibleProperties<P, H>>;

type Told<P extends TProperties, H extends keyof P, C extends string> = {
  change: TLiteral<C>;
  version: TInteger;
  state: StateSchema<P, H>;
};
type ToldUpdate<P extends TProperties, H extends keyof P> = Told<P, H, "updated"> & {
  changedFields: TArray<TUnsafe<VisibleName<P, H>>>;
};
type ToldDeletion<P extends TProperties, H extends keyof P> = Told<P, H, "deleted"> & {
  reason: TOptional<TString>;
};

/** One of the events, as a contract declares it. */
export interface LifecycleEvent<S extends TObject> {
  readonly payload: S;
  readonly summary: string;
  readonly orderedBy: string;
  readonly version: number;
  readonly upgrade: Upgrades;
}

/** The store of the entities, or of their copies, as a contract declares it. */
export interface LifecycleStore<S extends TObject, C extends readonly string[]> {
  readonly value: S;
  readonly summary: string;
  readonly durability: "durable";
  readonly capabilities: C;
  readonly version: number;
  readonly upgrade: Upgrades;
}

/** The version of each key, and for a while that of keys that are gone. */
export interface VersionStore {
  readonly value: TObject<{ version: TInteger }>;
  readonly summary: string;
  readonly durability: "durable";
  readonly expires: true;
  readonly capabilities: readonly ["transaction"];
}

type EntityStores<N extends string, S extends TObject, C extends readonly string[]> = {
  readonly [K in N]: LifecycleStore<S, C>;
} & { readonly [K in `${N}Versions`]: VersionStore };

/** `orderCreated`, `orderUpdated`, `orderDeleted`. */
export type ChangeName<N extends string> = `${N}Created` | `${N}Updated` | `${N}Deleted`;

/** What one of the events says of an entity of these properties. */
export type Change<P extends TProperties, H extends keyof P> =
  | InferOutput<TObject<Told<P, H, "created">>>
  | InferOutput<TObject<ToldUpdate<P, H>>>
  | InferOutput<TObject<ToldDeletion<P, H>>>;

/** What a lifecycle's events say: `ChangeOf<typeof orderLife>`, told apart by `change`. */
export type ChangeOf<L> =
  L extends Lifecycle<infer _N, infer P, infer H> ? Change<P, H & keyof P> : never;

/** What both sides need to know at run time. */
export interface LifecycleRules {
  /** Of the entity: `order`. */
  readonly entity: string;
  /** The field that tells entities apart. */
  readonly key: string;
  /** The fields that others see. */
  readonly visible: readonly string[];
  /** How long the version of a deleted key is kept, in milliseconds. */
  readonly rememberMs: number;
}

/** Made by `defineLifecycle`; its parts are spread into contracts. */
export interface Lifecycle<
  N extends string,
  P extends TProperties,
  H extends keyof P,
> extends LifecycleRules {
  readonly entity: N;
  /** Schema of what others see. */
  readonly state: StateSchema<P, H>;
  /** For the owner's contract: `order` holds the entities, `orderVersions` their versions. */
  readonly stores: EntityStores<N, TObject<P>, readonly ["transaction", "outbox"]>;
  /** For the owner's contract. */
  readonly events: {
    readonly [K in `${N}Created`]: LifecycleEvent<TObject<Told<P, H, "created">>>;
  } & {
    readonly [K in `${N}Updated`]: LifecycleEvent<TObject<ToldUpdate<P, H>>>;
  } & { readonly [K in `${N}Deleted`]: LifecycleEvent<TObject<ToldDeletion<P, H>>> };
  /** For the contract of whoever keeps a copy: the same two stores, of what others see. */
  readonly replica: EntityStores<N, StateSchema<P, H>, readonly ["transaction"]>;
}

/** Names of the fields that must be there and hold text: any of them may be the key. */
type KeyName<P extends TProperties> = {
  [K in keyof P & string]: P[K] extends TOptional<P[K]>
    ? never
    : InferOutput<P[K]> extends string
      ? K
      : never;
}[keyof P & string];

export interface LifecycleOptions<K extends string, H extends string> {
  /** The field that tells entities apart: required text, never hidden. */
  readonly key: K;
  /** Fields that are in no event and no replica. Default: none. */
  readonly hidden?: readonly H[];
  /**
   * Milliseconds for which owner and replicas remember the version of a key that was deleted. An
   * older event that comes later than that is taken for news. 1000 … ten years. Default 30 days.
   */
  readonly rememberMs?: number;
  /** Version of the entity's schema, for the stores and the events alike. Default 1. */
  readonly version?: number;
  /** Lifts an entity of version `n`; in events and replicas one without its hidden fields. */
  readonly upgrade?: Upgrades;
}

const rememberDefaultMs = 30 * 24 * 3_600_000;
/** As long as an engine keeps anything that has an end. */
const rememberMaxMs = 3650 * 24 * 3_600_000;

/**
 * Derives an entity's lifecycle from its schema. Pure; the names become those of stores and events.
 *
 * @param entity a name in camelCase, in the singular: `order`, `gameSession`
 * @throws CONTRACT_INVALID when the key is no required text, a hidden field is unknown, or one that
 *   is marked as secret is not hidden
 *
 * @example
 * const account = t.Object({ id: t.String(), name: t.String(), passwordHash: t.Secret() });
 * const accountLife = defineLifecycle("account", account, { key: "id", hidden: ["passwordHash"] });
 * const accounts = defineContract("accounts", {
 *   …, stores: { ...accountLife.stores }, events: { ...accountLife.events },
 * });
 */
export function defineLifecycle<
  const N extends string,
  P extends TProperties,
  const K extends KeyName<P>,
  const H extends Exclude<keyof P & string, K> = never,
>(entity: N, schema: TObject<P>, options: LifecycleOptions<K, H>): Lifecycle<N, P, H> {
  const { key, hidden = [], rememberMs = rememberDefaultMs, version = 1, upgrade = {} } = options;
  checkLifecycle(entity, schema, { key, hidden, rememberMs });
  const state = t.Omit(schema, [...hidden]);
  const visible = Object.keys(state.properties);
  const versioned = { version, upgrade: Object.freeze({ ...upgrade }) };
  const storesOf = (value: TObject, capabilities: readonly string[]) => ({
    [entity]: { ...versioned, value, summary: `By ${key}.`, durability: "durable", capabilities },
    [`${entity}Versions`]: versionStore,
  });
  const life = {
    entity,
    key,
    visible,
    rememberMs,
    state,
    stores: storesOf(schema, ["transaction", "outbox"]),
    replica: storesOf(state, ["transaction"]),
    events: eventsOf(entity, state, { key, ...versioned }),
  };
  // Every name and schema above is made from the parameters as the types spell them out.
  return Object.freeze(life) as unknown as Lifecycle<N, P, H>;
}

const versionStore: VersionStore = {
  value: t.Object({ version: t.Integer({ minimum: 1 }) }),
  summary: "The last version of each key; of deleted ones for a while.",
  durability: "durable",
  expires: true,
  capabilities: ["transaction"],
};

interface EventShape {
  readonly key: string;
  readonly version: number;
  readonly upgrade: Upgrades;
}

function eventsOf(entity: string, state: TObject, { key, version, upgrade }: EventShape): object {
  const lifts: Record<number, (old: unknown) => unknown> = {};
  for (const [from, lift] of Object.entries(upgrade)) lifts[Number(from)] = liftingState(lift);
  const event = (change: string, more: TProperties) => ({
    summary: `One ${entity} was ${change}.`,
    payload: t.Object({
      change: t.Literal(change),
      version: t.Integer({ minimum: 1 }),
      state,
      ...more,
    }),
    orderedBy: `/state/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`,
    version,
    upgrade: lifts,
  });
  return {
    [`${entity}Created`]: event("created", {}),
    // Just text: a newer publisher may name a field that this reader does not know yet.
    [`${entity}Updated`]: event("updated", { changedFields: t.Array(t.String()) }),
    [`${entity}Deleted`]: event("deleted", { reason: t.Optional(t.String()) }),
  };
}

/** An upgrade of entities, made one of the events that carry them. */
function liftingState(lift: (old: unknown) => unknown): (old: unknown) => unknown {
  return (old) =>
    typeof old === "object" && old !== null && "state" in old
      ? { ...old, state: lift(old.state) }
      : old;
}

function checkLifecycle(
  entity: string,
  { properties, required }: TObject,
  {
    key,
    hidden,
    rememberMs,
  }: { readonly key: string; readonly hidden: readonly string[]; readonly rememberMs: number },
): void {
  const offences: Offence[] = [];
  const refuse = (place: string, message: string, fix: string): void => {
    offences.push({ place: `${entity}.${place}`, message, fix });
  };
  const names: readonly string[] = required ?? [];
  if (!names.includes(key) || hidden.includes(key)) {
    refuse("key", `"${key}" is not a required field that others see.`, "Name one that is.");
  }
  for (const name of hidden) {
    if (Object.hasOwn(properties, name)) continue;
    refuse("hidden", `The schema has no field "${name}".`, "Name fields of the schema.");
  }
  for (const [name, schema] of Object.entries(properties)) {
    if (hidden.includes(name) || !holdsSecret(schema)) continue;
    refuse(name, "It holds a secret, and every event would show it.", `Add "${name}" to hidden.`);
  }
  if (!Number.isSafeInteger(rememberMs) || rememberMs < 1000 || rememberMs > rememberMaxMs) {
    const fix = "Use whole milliseconds: a second or more, ten years or less.";
    refuse("rememberMs", `${rememberMs} is not a time.`, fix);
  }
  if (offences.length === 0) return;
  throw offencesError("CONTRACT_INVALID", `The lifecycle "${entity}"`, offences);
}

/** Whether anything in the schema is marked as `redact` reads it. */
function holdsSecret(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  const marks: { readonly "x-secret"?: unknown; readonly writeOnly?: unknown } = schema;
  if (marks["x-secret"] === true || marks.writeOnly === true) return true;
  return Object.values(schema).some(holdsSecret);
}
