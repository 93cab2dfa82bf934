/**
 * Names of environment variables, and the table of who claims which.
 *
 * Variables are few and shared by everything on a node, so two places that read the same one are a
 * mistake of the contracts, found before any value is read.
 */

import type { Layer } from "../contract/layers.ts";
import { encodePointer } from "../schema/pointer.ts";
import type { ConfigProblem } from "./problems.ts";
import { dottedName } from "./sections.ts";

/** What every variable of the platform starts with. */
export const ENV_PREFIX = "BANYAN_";

/** The master switch: `true`, `false`, or the comma list of services that run. */
export const SERVICES_ENABLED_VARIABLE = "BANYAN_SERVICES_ENABLED";

/** The switches of whole layers. Infrastructure (L0) has none: it cannot be switched off. */
export const layerVariables = Object.freeze({
  L1: "BANYAN_ENABLE_APP_FOUNDATION",
  L2: "BANYAN_ENABLE_GAME_FOUNDATION",
  L3: "BANYAN_ENABLE_APP_FEATURES",
  L4: "BANYAN_ENABLE_GAME_FEATURES",
  L5: "BANYAN_ENABLE_EXTENSIONS",
} as const satisfies Record<Exclude<Layer, "L0">, string>);

/** `salutationText` → `SALUTATION_TEXT`, `my-service` → `MY_SERVICE`. */
export function envSegment(key: string): string {
  return key
    .replaceAll(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replaceAll(/([A-Z])([A-Z][a-z])/g, "$1_$2")
    .replaceAll(/[^A-Za-z0-9]+/g, "_")
    .toUpperCase();
}

/** The variable of a key path below a prefix: `BANYAN_HTTP` and `["port"]` → `BANYAN_HTTP_PORT`. */
export function envName(prefix: string, path: readonly string[]): string {
  return [prefix, ...path.map(envSegment)].join("_");
}

/** The prefix of a service's own variables: `game-session` → `BANYAN_GAME_SESSION`. */
export function serviceEnvPrefix(service: string): string {
  return `${ENV_PREFIX}${envSegment(service)}`;
}

/** The variable that switches one service on or off. */
export function serviceEnabledVariable(service: string): string {
  return `${serviceEnvPrefix(service)}_ENABLED`;
}

/** One place of the configuration that reads a variable. */
export interface EnvClaim {
  readonly variable: string;
  readonly pointer: string;
  /** Dotted name of the place, as messages show it. */
  readonly name: string;
}

/** What is read without a section: the master switch, the layers' and the services' switches. */
export function switchClaims(services: readonly string[]): EnvClaim[] {
  return [
    { variable: SERVICES_ENABLED_VARIABLE, pointer: "", name: "the master switch" },
    ...Object.entries(layerVariables).map(([layer, variable]) => ({
      variable,
      pointer: `/enable/layers/${layer}`,
      name: `enable.layers.${layer}`,
    })),
    ...services.map((service) => ({
      variable: serviceEnabledVariable(service),
      pointer: encodePointer(["services", service, "enabled"]),
      name: dottedName(["services", service, "enabled"]),
    })),
  ];
}

/** Who reads a variable: the first claim keeps it. */
export function claimOwners(claims: readonly EnvClaim[]): ReadonlyMap<string, EnvClaim> {
  return new Map(claims.toReversed().map((claim) => [claim.variable, claim]));
}

/** A variable read in two places; the problem names both. */
export function claimProblems(claims: readonly EnvClaim[]): ConfigProblem[] {
  const owners = claimOwners(claims);
  return claims.flatMap((claim) => {
    const owner = owners.get(claim.variable);
    if (owner === undefined || owner.pointer === claim.pointer) return [];
    return {
      pointer: claim.pointer,
      message: `${claim.variable} is claimed by both ${owner.name} and ${claim.name}.`,
      fix: `Rename ${owner.name} or ${claim.name}, so that each has a variable of its own.`,
    };
  });
}

/**
 * Whether an unclaimed variable belongs to something that is known but not loaded: the longest
 * matching prefix decides, so `BANYAN_HELLO_WORLD_PROT` is still a typo of the loaded service
 * `hello-world` when the service `hello` is not loaded.
 */
export function isPassedOver(
  variable: string,
  loadedPrefixes: readonly string[],
  passedPrefixes: readonly string[],
): boolean {
  const longest = (prefixes: readonly string[]): number =>
    Math.max(0, ...prefixes.filter((p) => variable.startsWith(p)).map((p) => p.length));
  const passed = longest(passedPrefixes);
  return passed > 0 && passed > longest(loadedPrefixes);
}
