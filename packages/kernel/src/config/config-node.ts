/** The nodes of the configuration tree; what each kind means stands at the head of the tree. */

import type { JsonSchemaObject } from "../schema/json-schema.ts";
import { encodePointer } from "../schema/pointer.ts";
import type { ConfigProblem } from "./problems.ts";
import { dottedName } from "./sections.ts";
import type { ConfigSection } from "./sections.ts";

/** Where a node stands, in the three ways of writing it. */
export interface NodePlace {
  readonly path: readonly string[];
  readonly pointer: string;
  /** Dotted name, as people read it: `services.greeter.salutation`. */
  readonly name: string;
}

/** A value that is set as a whole. */
export interface ConfigLeaf extends NodePlace {
  readonly kind: "leaf";
  readonly section: ConfigSection;
  readonly env: string;
  /** Stands alone: everything its references name is inside. */
  readonly schema: JsonSchemaObject;
  readonly required: boolean;
  readonly secret: boolean;
  /** `undefined`: there is none (no JSON value is undefined). */
  readonly default: unknown;
  readonly description: string | undefined;
}

/** An object whose keys are all known. */
export interface ConfigBranch extends NodePlace {
  readonly kind: "branch";
  /** The owner; `undefined` for the root and for what only holds sections (`services`). */
  readonly section: ConfigSection | undefined;
  readonly children: Map<string, ConfigNode>;
  readonly required: boolean;
  readonly secret: boolean;
  readonly default: unknown;
  readonly description: string | undefined;
}

/** A key of a service's section that the platform reads itself. */
export interface ReservedKey extends NodePlace {
  readonly kind: "reserved";
  readonly schema: JsonSchemaObject;
}

/** The section of a service that exists but is not loaded. */
export interface PassedOver extends NodePlace {
  readonly kind: "passed-over";
}

export type ConfigNode = ConfigLeaf | ConfigBranch | ReservedKey | PassedOver;

/** The tree of all sections, its leaves in order, and what is wrong with the sections. */
export interface ConfigTree {
  readonly root: ConfigBranch;
  readonly leaves: readonly ConfigLeaf[];
  readonly leafOfVariable: ReadonlyMap<string, ConfigLeaf>;
  /** Every variable that means something, the switches of services and layers included. */
  readonly variables: ReadonlySet<string>;
  readonly problems: readonly ConfigProblem[];
}

/** A branch that merely holds other nodes. */
export function emptyBranch(path: readonly string[]): ConfigBranch {
  return {
    kind: "branch",
    ...placeOf(path),
    section: undefined,
    children: new Map(),
    required: true,
    secret: false,
    default: undefined,
    description: undefined,
  };
}

/** All ways of writing one path. */
export function placeOf(path: readonly string[]): NodePlace {
  return { path, pointer: encodePointer(path), name: dottedName(path) };
}
