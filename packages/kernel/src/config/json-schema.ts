/**
 * One JSON Schema 2020-12 for the whole file, so that editors complete and check `banyan.yaml`.
 *
 * It judges the file alone: nothing is required in it, because a flag or a variable may set any
 * leaf. Rules between keys are left to the resolution for the same reason.
 */

import type { JsonSchemaObject } from "../schema/json-schema.ts";
import { buildConfigTree } from "./config-tree.ts";
import type { ConfigBranch, ConfigNode } from "./config-node.ts";
import { asRecord, rebaseRefs } from "./schema-view.ts";
import { reservedServiceSchemas } from "./sections.ts";
import type { ConfigSection } from "./sections.ts";

export interface ConfigJsonSchemaOptions {
  /** Default: `Banyan configuration`. */
  readonly title?: string;
  /** The schema's own address, for `$id`. */
  readonly id?: string;
  /** Services that exist but are not loaded: allowed in the file, their keys unchecked. */
  readonly knownServices?: readonly string[];
}

/** Builds the schema of the file. It shares no object with the sections. */
export function configJsonSchema(
  sections: readonly ConfigSection[],
  options: ConfigJsonSchemaOptions = {},
): JsonSchemaObject {
  const { root } = buildConfigTree(sections, options.knownServices);
  const definitions: Record<string, unknown> = {};
  const body = nodeSchema(root, definitions);
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    ...(options.id === undefined ? {} : { $id: options.id }),
    title: options.title ?? "Banyan configuration",
    ...body,
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions }),
  };
}

function nodeSchema(node: ConfigNode, definitions: Record<string, unknown>): JsonSchemaObject {
  switch (node.kind) {
    case "leaf":
      return leafSchema(node, definitions);
    case "branch":
      return branchSchema(node, definitions);
    case "reserved":
      return structuredClone(node.schema);
    case "passed-over":
      return {
        type: "object",
        description: "A service that is not loaded: its configuration is not checked.",
        properties: structuredClone(reservedServiceSchemas),
      };
  }
}

function branchSchema(node: ConfigBranch, definitions: Record<string, unknown>): JsonSchemaObject {
  const schema = asRecord(node.section?.schema);
  const atRoot = node.section?.path.length === node.path.length;
  const title = atRoot && typeof schema?.["title"] === "string" ? schema["title"] : undefined;
  const properties = [...node.children].map(([key, child]): [string, unknown] => [
    key,
    nodeSchema(child, definitions),
  ]);
  return {
    ...(title === undefined ? {} : { title }),
    ...(node.description === undefined ? {} : { description: node.description }),
    type: "object",
    // `fromEntries` defines own properties, so a key named __proto__ stays an ordinary key.
    properties: Object.fromEntries(properties),
    additionalProperties: false,
  };
}

/** A leaf's own definitions move to the top under its name, where references can find them. */
function leafSchema(
  leaf: Extract<ConfigNode, { kind: "leaf" }>,
  definitions: Record<string, unknown>,
): JsonSchemaObject {
  const prefix = (name: string): string => `${leaf.name}:${name}`;
  const token = (name: string): string => encodeURI(prefix(name));
  const moved = rebaseRefs(leaf.schema, (ref) =>
    ref.startsWith("#/$defs/") ? `#/$defs/${token(ref.slice("#/$defs/".length))}` : ref,
  );
  const { $defs, default: fallback, ...rest } = structuredClone(moved);
  for (const [name, definition] of Object.entries(asRecord($defs) ?? {})) {
    definitions[prefix(name)] = definition;
  }
  return leaf.secret || fallback === undefined ? rest : { ...rest, default: fallback };
}
