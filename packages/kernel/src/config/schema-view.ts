/**
 * What configuration needs to see of a JSON Schema: its local references followed, its declared
 * properties (also through `allOf`), and whether it holds a secret.
 *
 * Validation itself is the schema compiler's; nothing here judges a value.
 */

import { isSchemaObject } from "../schema/json-schema.ts";
import type { JsonSchemaObject } from "../schema/json-schema.ts";
import { getAtPointer } from "../schema/pointer.ts";

/** One property of a declared object. */
export interface PropertyView {
  readonly schema: JsonSchemaObject;
  readonly required: boolean;
}

/** References followed in a row before a schema counts as going in circles. */
const refsMax = 32;

/** Name under which the root of a section is kept when a leaf refers back to it by `#`. */
const rootDefinition = "section";

/** The value as an object that is not an array, or `undefined`. */
export function asRecord(value: unknown): JsonSchemaObject | undefined {
  return isSchemaObject(value) ? value : undefined;
}

/** Follows a local `$ref`; keywords beside the reference win over those of its target. */
export function followRef(schema: JsonSchemaObject, root: JsonSchemaObject): JsonSchemaObject {
  let node = schema;
  for (let hops = 0; typeof node["$ref"] === "string" && hops < refsMax; hops += 1) {
    const { $ref, ...beside } = node;
    node = { ...targetOf(String($ref), root), ...beside };
  }
  return node;
}

/**
 * The properties of an object whose keys are all declared. `undefined` for everything else
 * (scalars, lists, unions, maps, open objects): those are set as a whole.
 */
export function declaredProperties(
  schema: JsonSchemaObject,
  root: JsonSchemaObject,
): ReadonlyMap<string, PropertyView> | undefined {
  const node = followRef(schema, root);
  if (node["type"] !== undefined && node["type"] !== "object") return undefined;
  if (node["anyOf"] !== undefined || node["oneOf"] !== undefined) return undefined;
  const open = node["additionalProperties"];
  if ((open !== undefined && open !== false) || node["patternProperties"] !== undefined) {
    return undefined;
  }
  const own = asRecord(node["properties"]);
  const branches = Array.isArray(node["allOf"]) ? node["allOf"] : [];
  if (own === undefined && branches.length === 0) return undefined;
  const found = new Map<string, PropertyView>();
  const required = new Set(Array.isArray(node["required"]) ? node["required"] : []);
  for (const [key, value] of Object.entries(own ?? {})) {
    found.set(key, { schema: asRecord(value) ?? {}, required: required.has(key) });
  }
  for (const branch of branches) {
    const more = declaredProperties(asRecord(branch) ?? {}, root);
    if (more === undefined) return undefined;
    for (const [key, view] of more) found.set(key, joinViews(found.get(key), view));
  }
  for (const key of required) {
    const view = found.get(String(key));
    if (view !== undefined) found.set(String(key), { ...view, required: true });
  }
  return found;
}

/** True when the schema, or anything below it, is marked `x-secret` or `writeOnly`. */
export function holdsSecret(schema: unknown, root: JsonSchemaObject): boolean {
  const seen = new Set<unknown>();
  const visit = (node: unknown): boolean => {
    if (typeof node !== "object" || node === null || seen.has(node)) return false;
    seen.add(node);
    if (Array.isArray(node)) return node.some(visit);
    const record = asRecord(node) ?? {};
    if (record["x-secret"] === true || record["writeOnly"] === true) return true;
    if (typeof record["$ref"] === "string" && visit(targetOf(record["$ref"], root))) return true;
    return Object.values(record).some(visit);
  };
  return visit(schema);
}

/** A copy of a part of a schema that stands alone: what its references name comes along. */
export function closeSchema(schema: JsonSchemaObject, root: JsonSchemaObject): JsonSchemaObject {
  if (schema === root || !hasRef(schema)) return schema;
  const definitions = asRecord(root["$defs"]) ?? {};
  const { $defs: _definitions, ...bare } = root;
  return rebaseRefs({ ...schema, $defs: { ...definitions, [rootDefinition]: bare } }, (ref) =>
    ref === "#" ? `#/$defs/${rootDefinition}` : ref,
  );
}

/** Keywords whose value is data, so that a `$ref` inside it is no reference. */
const dataKeywords: ReadonlySet<string> = new Set(["const", "default", "enum", "examples"]);

/** Keywords whose value is a map of names to schemas: the names in it are no keywords. */
const mapKeywords: ReadonlySet<string> = new Set(["properties", "patternProperties", "$defs"]);

/** A deep copy in which every local reference is renamed. */
export function rebaseRefs(
  schema: JsonSchemaObject,
  rename: (ref: string) => string,
): JsonSchemaObject {
  const copy = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(copy);
    const record = asRecord(node);
    if (record === undefined) return node;
    return mapValues(record, (value, key) => {
      if (dataKeywords.has(key)) return value;
      if (key === "$ref" && typeof value === "string") return rename(value);
      const names = mapKeywords.has(key) ? asRecord(value) : undefined;
      return names === undefined ? copy(value) : mapValues(names, copy);
    });
  };
  return asRecord(copy(schema)) ?? {};
}

function mapValues(
  record: JsonSchemaObject,
  change: (value: unknown, key: string) => unknown,
): JsonSchemaObject {
  // `fromEntries` defines own properties, so a key named __proto__ stays an ordinary key.
  return Object.fromEntries(
    Object.entries(record).map(([key, value]) => [key, change(value, key)]),
  );
}

function joinViews(first: PropertyView | undefined, second: PropertyView): PropertyView {
  if (first === undefined) return second;
  return {
    schema: { allOf: [first.schema, second.schema] },
    required: first.required || second.required,
  };
}

function hasRef(schema: JsonSchemaObject): boolean {
  return JSON.stringify(schema).includes('"$ref":');
}

function targetOf(ref: string, root: JsonSchemaObject): JsonSchemaObject {
  if (!ref.startsWith("#")) return {};
  return asRecord(getAtPointer(root, ref.slice(1))) ?? {};
}
