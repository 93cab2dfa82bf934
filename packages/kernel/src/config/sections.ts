/**
 * Sections: who owns which part of the configuration, and the keys the platform keeps for itself.
 */

import type { JsonSchemaObject } from "../schema/json-schema.ts";

/** A part of the configuration with an owner: the host, an engine or one service. */
export interface ConfigSection {
  /** Place in the file: `["http"]`, `["services", "greeter"]`. */
  readonly path: readonly string[];
  /** Start of its variables without the last underscore: `BANYAN_HTTP`, `BANYAN_GREETER`. */
  readonly envPrefix: string;
  /** JSON Schema 2020-12 of the section's value, usually of an object. */
  readonly schema: object;
  /**
   * False: the section is absent unless a source sets something in it. Default true: it is always
   * there, made of defaults, and what it requires must be set.
   */
  readonly required?: boolean;
  /** Names of variables that do not follow the rule, by JSON pointer within the section. */
  readonly envNames?: Readonly<Record<string, string>>;
}

/** The keys a service's section has besides its own configuration. No contract may declare them. */
export const RESERVED_SERVICE_KEYS = Object.freeze(["enabled", "from"] as const);

/** True for a key that the platform keeps for itself in every `services.<name>`. */
export function isReservedServiceKey(key: string): boolean {
  return RESERVED_SERVICE_KEYS.some((reserved) => reserved === key);
}

/** JSON Schemas of the reserved keys. */
export const reservedServiceSchemas: Readonly<Record<string, JsonSchemaObject>> = Object.freeze({
  enabled: { type: "boolean", description: "Whether this node runs the service." },
  from: { type: "string", minLength: 1, description: "Module that provides the service." },
});

/** `["services", "greeter"]` → `services.greeter`; keys with other characters are quoted. */
export function dottedName(path: readonly string[]): string {
  return path
    .map((key, index) => {
      if (!/^[\w-]+$/.test(key)) return `[${JSON.stringify(key)}]`;
      return index === 0 ? key : `.${key}`;
    })
    .join("");
}
