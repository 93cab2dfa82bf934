// Any accepted notation of a schema → plain JSON Schema 2020-12, which all other files rely on.
import {
  type JsonSchema,
  SCHEMA_KEYWORDS,
  SCHEMA_LIST_KEYWORDS,
  SCHEMA_MAP_KEYWORDS,
  isSchemaObject,
} from "./json-schema.ts";
import { encodePointerToken } from "./pointer.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";

const SCHEMA_DEPTH_MAX = 64; // A schema object that contains itself must end somewhere.

export interface PlainSchemaOptions {
  /**
   * Drop `additionalProperties: false`: what a provider answers may gain fields, and some libraries
   * close every object they describe as output. Default false.
   */
  readonly open?: boolean;
}

/** Where a schema stands, and which definitions can be named there. */
interface Place {
  readonly pointer: string;
  readonly depth: number;
  readonly open: boolean;
  /** Pointer of the innermost schema with an `$id`: what `#` means there. */
  readonly base: string;
  /** Pointers of the definitions by their name, the innermost first. */
  readonly definitions: readonly ReadonlyMap<string, string>[];
}

/**
 * A fresh plain copy: hidden marks are gone, a `RegExp` becomes its source, a `bigint` a number,
 * TypeBox's (and draft 7's) array form of `items` becomes `prefixItems`, and references to a
 * definition by its name (`$ref: "Node"`), or inside a schema with an `$id`, become pointers from
 * the root.
 */
export function plainJsonSchema(schema: unknown, options: PlainSchemaOptions = {}): JsonSchema {
  const plain = copySchema(schema, {
    pointer: "",
    depth: 0,
    open: options.open ?? false,
    base: "",
    definitions: [],
  });
  if (typeof plain === "boolean") return plain;
  const { $schema: _dialect, ...rest } = plain;
  return rest;
}

function copySchema(schema: unknown, place: Place): JsonSchema {
  if (typeof schema === "boolean") return schema;
  if (!isSchemaObject(schema)) {
    throw new SchemaError(SchemaErrorCode.notASchema, {
      pointer: place.pointer,
      message: `a schema is an object, true or false; ${place.pointer || "the schema"} is neither`,
    });
  }
  if (place.depth > SCHEMA_DEPTH_MAX) {
    throw new SchemaError(SchemaErrorCode.notASchema, {
      pointer: place.pointer.slice(0, 200),
      message:
        `the schema is nested deeper than ${SCHEMA_DEPTH_MAX} levels or contains itself; ` +
        `say recursion with $defs and $ref`,
    });
  }
  const named = withDefinitions(schema, place);
  const copy: [string, unknown][] = [];
  for (const [keyword, value] of Object.entries(schema)) {
    if (value !== undefined) copy.push(...copyKeyword(schema, { keyword, value }, named));
  }
  return Object.fromEntries(copy);
}

function withDefinitions(schema: Readonly<Record<string, unknown>>, outer: Place): Place {
  const definitions = schema["$defs"];
  // A schema with an id is a resource of its own (JSON Schema core, 8.2.1).
  const place = typeof schema["$id"] === "string" ? { ...outer, base: outer.pointer } : outer;
  if (!isSchemaObject(definitions)) return place;
  const pointers = new Map<string, string>();
  for (const [name, definition] of Object.entries(definitions)) {
    const pointer = `#${outer.pointer}/$defs/${encodePointerToken(name)}`;
    pointers.set(name, pointer);
    const id = isSchemaObject(definition) ? definition["$id"] : undefined;
    if (typeof id === "string") pointers.set(id, pointer);
  }
  return { ...place, definitions: [pointers, ...place.definitions] };
}

function copyKeyword(
  schema: Readonly<Record<string, unknown>>,
  entry: { readonly keyword: string; readonly value: unknown },
  place: Place,
): [string, unknown][] {
  const { keyword, value } = entry;
  const inside = (part: unknown, ...tokens: readonly string[]): JsonSchema => {
    const pointer = place.pointer + tokens.map((token) => `/${encodePointerToken(token)}`).join("");
    return copySchema(part, { ...place, pointer, depth: place.depth + 1 });
  };
  if (keyword === "items" && Array.isArray(value)) {
    const entries: [string, unknown][] = [];
    const tuple = value.map((part, index) => inside(part, "prefixItems", String(index)));
    if (tuple.length > 0) entries.push(["prefixItems", tuple]);
    const rest = schema["additionalItems"];
    if (rest !== undefined) entries.push(["items", inside(rest, "items")]);
    return entries;
  }
  if (keyword === "additionalItems" && Array.isArray(schema["items"])) return [];
  if (keyword === "additionalProperties" && value === false && place.open) return [];
  if (keyword === "$ref" && typeof value === "string") {
    if (value.startsWith("#")) return [[keyword, `#${place.base}${value.slice(1)}`]];
    const known = place.definitions.find((names) => names.has(value))?.get(value);
    return [[keyword, known ?? value]];
  }
  // References are pointers from the root now, which an inner id would bend.
  if (keyword === "$id" && place.pointer !== "") return [];
  if (SCHEMA_KEYWORDS.has(keyword)) return [[keyword, inside(value, keyword)]];
  if (SCHEMA_LIST_KEYWORDS.has(keyword) && Array.isArray(value)) {
    return [[keyword, value.map((part, index) => inside(part, keyword, String(index)))]];
  }
  if (SCHEMA_MAP_KEYWORDS.has(keyword) && isSchemaObject(value)) {
    const parts = Object.entries(value);
    return [[keyword, Object.fromEntries(parts.map(([n, part]) => [n, inside(part, keyword, n)]))]];
  }
  return [[keyword, plainData(value)]];
}

function plainData(value: unknown, depth = 0): unknown {
  if (value instanceof RegExp) return value.source;
  if (typeof value === "bigint") return Number(value);
  if (typeof value !== "object" || value === null || depth > SCHEMA_DEPTH_MAX) return value;
  if (Array.isArray(value)) return value.map((item) => plainData(item, depth + 1));
  const entries = Object.entries(value);
  return Object.fromEntries(entries.map(([key, part]) => [key, plainData(part, depth + 1)]));
}
