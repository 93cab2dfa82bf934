/**
 * The contract: one value from which types, validation, routes, OpenAPI, typed clients, topics,
 * store wiring, configuration docs and permissions are derived. Nothing is declared twice.
 */

import { defineErrors } from "../errors/catalogue.ts";
import { checkContract } from "./check.ts";
import type {
  AnyContract,
  Contract,
  ContractSpec,
  ExtensionSpec,
  SubscriptionSpec,
} from "./contract-spec.ts";

export type {
  AnyContract,
  Contract,
  ContractSpec,
  EventSpec,
  ExtensionPointSpec,
  ExtensionSpec,
  LockSpec,
  StoreSpec,
  SubscriptionSpec,
  Upgrades,
} from "./contract-spec.ts";

/**
 * Declares a service's contract. Pure: checks it and freezes it, nothing else.
 *
 * @param name lower-case words joined by hyphens, 1 to 48 characters: `greeter`, `game-session`.
 * @throws CONTRACT_INVALID with every offence, its place and its fix.
 */
export function defineContract<const N extends string, const S extends ContractSpec>(
  name: N,
  spec: S,
): Contract<N, S> {
  checkContract(name, spec);
  const contract = {
    name,
    spec: Object.freeze(spec),
    layer: spec.layer ?? "L4",
    errors: defineErrors(spec.errors ?? {}),
  };
  return Object.freeze(contract);
}

/** How a subscription differs from the default one; `SubscriptionSpec` has units and bounds. */
export type SubscribeOptions = Partial<Omit<SubscriptionSpec, "contract" | "event">>;

/**
 * Names a contract's event to subscribe to.
 *
 * @example
 * subscriptions: { greetings: on(greeter, "greeted") }
 */
export function on<C extends AnyContract, const E extends EventNames<C>>(
  contract: C,
  event: E,
  options: SubscribeOptions = {},
): SubscriptionSpec<C, E> {
  const { delivery = "group", concurrency = 16, retriesMax = 5, ...others } = options;
  // The others as they are: a misspelt one is refused with the contract it stands in.
  return Object.freeze({ ...others, contract, event, delivery, concurrency, retriesMax });
}

/**
 * Names a contract's extension point to implement.
 *
 * @example
 * extensions: { words: extend(greeter, "words") }
 */
export function extend<C extends AnyContract, const P extends PointNames<C>>(
  contract: C,
  point: P,
): ExtensionSpec<C, P> {
  return Object.freeze({ contract, point });
}

export type EventNames<C extends AnyContract> = keyof NonNullable<C["spec"]["events"]> & string;
export type PointNames<C extends AnyContract> = keyof NonNullable<C["spec"]["extensionPoints"]> &
  string;
