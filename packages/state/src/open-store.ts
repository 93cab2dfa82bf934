/** Opens a store on an engine, refusing by name what the engine cannot do. */

import { systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, InferOutput, Random, StoreOf, StoreSpec } from "@banyan/kernel";
import { Codec, nearest } from "@banyan/kernel/internal";
import type { OperationObserver } from "@banyan/telemetry/internal";
import { StateCapability } from "./engine.ts";
import type { Durability, StateEngine, StoreName } from "./engine.ts";
import { EntryCodec } from "./entry-codec.ts";
import { stateErrors } from "./errors.ts";
import { engineFailure } from "./failures.ts";
import { KeyLanes } from "./key-lanes.ts";
import { assertStoreName } from "./keys.ts";
import { ObservedStore } from "./observed-store.ts";
import { resolveStoreLimits } from "./options.ts";
import type { StoreLimits } from "./options.ts";
import { TypedStore } from "./typed-store.ts";

/** An engine as a message names it: which one could do what another cannot. */
export interface EngineProfile {
  readonly name: string;
  readonly durability: Durability;
  readonly capabilities: ReadonlySet<StateCapability>;
}

export interface OpenStoreOptions<S extends StoreSpec> extends StoreName {
  readonly spec: S;
  /** For the waits of `update`. Default: the real clock. */
  readonly clock?: Clock;
  /** For the jitter of those waits. Default: the real source. */
  readonly random?: Random;
  readonly limits?: StoreLimits;
  /** Told of every operation. Left out: nothing is watched, and nothing is paid for it. */
  readonly observer?: OperationObserver | undefined;
  /** All engines of the node, so that a refusal can name one that would do. */
  readonly engines?: readonly EngineProfile[];
}

/**
 * Opens a store. Opening the same scope and name twice gives two views of the same entries.
 *
 * @throws STATE_CAPABILITY_MISSING, STATE_CAPABILITY_UNKNOWN when the engine does not fit.
 * @throws STATE_STORE_INVALID when scope, name or version break the rules.
 */
export async function openStore<S extends StoreSpec>(
  engine: StateEngine,
  options: OpenStoreOptions<S>,
): Promise<StoreOf<S>> {
  const { scope, name, spec, clock = systemClock, random = systemRandom } = options;
  assertStoreName("scope", scope);
  assertStoreName("name", name);
  const label = `${scope}.${name}`;
  const version = versionOf(spec, label);
  const limits = resolveStoreLimits(options.limits);
  const capabilities = demandsOf(spec, label);
  const engines = options.engines ?? [engine];
  assertFits({ label, spec, capabilities, engine, engines });
  const { durability } = spec;
  let entries;
  try {
    entries = await engine.openStore({ scope, name, durability, capabilities });
  } catch (error) {
    throw engineFailure(error, engine.name, label);
  }
  const refuse = stateErrors.STATE_VALUE_INVALID;
  const codec = new EntryCodec<InferOutput<S["value"]>>({
    label,
    input: new Codec(spec.value, { what: `The value for store ${label}`, refuse }),
    output: new Codec(spec.value, { what: "The stored value", refuse, side: "output" }),
    version,
    upgrades: spec.upgrade ?? {},
    ttlRefusal: ttlRefusalOf({ label, spec, engine, engines }),
    valueBytesMax: limits.valueBytesMax,
    revised: capabilities.has(StateCapability.Revisions),
  });
  const core = {
    label,
    scope,
    name,
    durability,
    engine,
    entries,
    capabilities,
    codec,
    lanes: new KeyLanes(),
    limits,
    clock,
    random,
  };
  const { observer } = options;
  const store = observer === undefined ? new TypedStore(core) : new ObservedStore(core, observer);
  // The codec puts a revision on the entries of just those stores whose type has it.
  return store as unknown as StoreOf<S>;
}

function versionOf(spec: StoreSpec, label: string): number {
  const { version = 1 } = spec;
  if (Number.isSafeInteger(version) && version >= 1) return version;
  throw stateErrors.STATE_STORE_INVALID(
    `Store ${label} has version ${version}; a version is a whole number from 1.`,
  );
}

const capabilitiesKnown: readonly string[] = Object.values(StateCapability);

function isCapability(name: string): name is StateCapability {
  return capabilitiesKnown.includes(name);
}

/** Everything a declaration asks for, by the names engines declare. */
function demandsOf(spec: StoreSpec, label: string): ReadonlySet<StateCapability> {
  const demands = new Set<StateCapability>();
  if (spec.expires === true) demands.add(StateCapability.Expires);
  for (const name of spec.capabilities ?? []) {
    if (!isCapability(name)) {
      const near = nearest(name, capabilitiesKnown);
      const hint = near === undefined ? capabilitiesKnown.join(", ") : `did you mean "${near}"?`;
      throw stateErrors.STATE_CAPABILITY_UNKNOWN(
        `Store ${label} asks for the capability "${name}", which does not exist: ${hint}`,
        { details: { store: label, capability: name } },
      );
    }
    demands.add(name);
  }
  return demands;
}

interface Fitting {
  readonly label: string;
  readonly spec: StoreSpec;
  readonly engine: EngineProfile;
  readonly engines: readonly EngineProfile[];
}

function assertFits(
  fitting: Fitting & { readonly capabilities: ReadonlySet<StateCapability> },
): void {
  const { label, spec, capabilities, engine, engines } = fitting;
  if (spec.durability === "durable" && engine.durability !== "durable") {
    const able = engines.filter(({ durability }) => durability === "durable");
    throw missing({ label, what: "durable", engine, able });
  }
  for (const what of capabilities) {
    if (engine.capabilities.has(what)) continue;
    throw missing({
      label,
      what,
      engine,
      able: engines.filter((each) => each.capabilities.has(what)),
    });
  }
}

interface Missing {
  readonly label: string;
  readonly what: string;
  readonly engine: EngineProfile;
  readonly able: readonly EngineProfile[];
}

function missing({ label, what, engine, able }: Missing): Error {
  const names = able.map(({ name }) => name);
  const fix =
    names.length === 0
      ? "no engine of this node has it; configure one that does, or do without"
      : `of this node's engines ${names.join(", ")} can; choose it for this store`;
  return stateErrors.STATE_CAPABILITY_MISSING(
    `Store ${label} needs "${what}", which the engine ${engine.name} does not offer: ${fix}.`,
    { details: { store: label, capability: what, engine: engine.name, engines: names } },
  );
}

/** A durable store takes a time to live only by contract, an ephemeral one where the engine can. */
function ttlRefusalOf(fitting: Fitting): ((ttlMs: number) => Error) | undefined {
  const { label, spec, engine, engines } = fitting;
  if (spec.durability === "durable" && spec.expires !== true) {
    return (ttlMs) =>
      stateErrors.STATE_TTL_NOT_ALLOWED(
        `Store ${label} is durable, so ttlMs ${ttlMs} is refused; if its entries may expire, ` +
          `declare "expires: true" in the contract.`,
        { details: { store: label } },
      );
  }
  const what = StateCapability.Expires;
  if (engine.capabilities.has(what)) return undefined;
  const able = engines.filter(({ capabilities }) => capabilities.has(what));
  return () => missing({ label, what, engine, able });
}
