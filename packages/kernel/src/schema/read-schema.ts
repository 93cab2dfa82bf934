// JSON Schema → nodes. Everything that could go wrong with a schema goes wrong here, by name and
// place, when the service is defined and not when the first request arrives.
import {
  ANNOTATION_KEYWORDS,
  CHECK_KEYWORDS,
  type JsonSchema,
  type JsonSchemaObject,
  SCHEMA_KEYWORDS,
  SCHEMA_LIST_KEYWORDS,
  SCHEMA_MAP_KEYWORDS,
  isSchemaObject,
} from "./json-schema.ts";
import { kindsOfValues, readBranches } from "./read-branches.ts";
import { KeywordReader, type SchemaReader } from "./keyword-reader.ts";
import { nearest } from "./nearest.ts";
import { encodePointerToken, getAtPointer } from "./pointer.ts";
import { readArray, readNumber, readObject, readString } from "./read-rules.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import { KIND_ANY, KIND_NUMBER, Kind, type SchemaNode } from "./schema-node.ts";
import { samePlaceParts } from "./schema-walk.ts";

const KEYWORD_SETS = [
  CHECK_KEYWORDS,
  SCHEMA_KEYWORDS,
  SCHEMA_LIST_KEYWORDS,
  SCHEMA_MAP_KEYWORDS,
  ANNOTATION_KEYWORDS,
];

const TYPES: ReadonlyMap<unknown, number> = new Map<unknown, number>([
  ["null", Kind.null],
  ["boolean", Kind.boolean],
  ["integer", Kind.integer],
  ["number", KIND_NUMBER],
  ["string", Kind.string],
  ["object", Kind.object],
  ["array", Kind.array],
]);

export interface ReadSchema {
  readonly root: SchemaNode;
  readonly nodes: ReadonlySet<SchemaNode>;
}

/** Reads a plain JSON Schema document (see `plainJsonSchema`). Throws `SchemaError`. */
export function readSchema(document: JsonSchema): ReadSchema {
  const nodes = new Map<string, SchemaNode>();
  const reader: SchemaReader = {
    document,
    nodes,
    node: (schema, pointer) => readNode(reader, schema, pointer),
  };
  const root = reader.node(document, "");
  refuseEndless(nodes.values());
  return { root, nodes: new Set(nodes.values()) };
}

function readNode(reader: SchemaReader, schema: unknown, pointer: string): SchemaNode {
  const known = reader.nodes.get(pointer);
  if (known !== undefined) return known;
  if (isSchemaObject(schema) && isAlias(schema)) {
    const target = resolveAlias(reader, schema, pointer);
    reader.nodes.set(pointer, target);
    return target;
  }
  const node = emptyNode(reader.nodes.size, pointer);
  // Registered before its parts are read: a part may refer back to it.
  reader.nodes.set(pointer, node);
  if (schema === false) return Object.assign(node, { never: true });
  if (schema === true) return node;
  if (!isSchemaObject(schema)) {
    throw new SchemaError(SchemaErrorCode.notASchema, {
      pointer: pointer,
      message: `a schema is an object, true or false; ${pointer || "the schema"} is neither`,
    });
  }
  refuseUnknownKeywords(schema, pointer);
  return Object.assign(node, readKeywords(reader, schema, pointer));
}

function emptyNode(id: number, pointer: string): SchemaNode {
  return {
    id,
    pointer,
    never: false,
    kinds: KIND_ANY,
    values: undefined,
    string: undefined,
    number: undefined,
    object: undefined,
    array: undefined,
    all: [],
    any: undefined,
    one: undefined,
    not: undefined,
    conditional: undefined,
    secret: false,
    shared: false,
  };
}

function readKeywords(
  reader: SchemaReader,
  schema: JsonSchemaObject,
  pointer: string,
): Partial<SchemaNode> {
  const keywords = new KeywordReader(schema, pointer);
  const part = (keyword: string): SchemaNode | undefined =>
    Object.hasOwn(schema, keyword)
      ? reader.node(schema[keyword], `${pointer}/${keyword}`)
      : undefined;
  const values = keywords.values();
  const test = part("if");
  const all = listOf(reader, keywords, "allOf");
  if (Object.hasOwn(schema, "$ref")) all.unshift(resolveRef(reader, schema, pointer));
  const whenTrue = part("then");
  const whenFalse = part("else");
  return {
    kinds: readKinds(keywords) & kindsOfValues(values),
    values,
    string: readString(keywords),
    number: readNumber(keywords),
    object: readObject(reader, keywords),
    array: readArray(reader, keywords),
    all,
    any: readBranches(listOf(reader, keywords, "anyOf")),
    one: readBranches(listOf(reader, keywords, "oneOf")),
    not: part("not"),
    // `then` and `else` mean nothing without `if`.
    conditional: test === undefined ? undefined : { test, whenTrue, whenFalse },
    secret: schema["x-secret"] === true || schema["writeOnly"] === true,
  };
}

function listOf(reader: SchemaReader, keywords: KeywordReader, keyword: string): SchemaNode[] {
  const list = keywords.list(keyword) ?? [];
  return list.map((part, index) => reader.node(part, `${keywords.pointer}/${keyword}/${index}`));
}

function readKinds(keywords: KeywordReader): number {
  const type = keywords.schema["type"];
  if (type === undefined) return KIND_ANY;
  const names: readonly unknown[] = Array.isArray(type) ? type : [type];
  let kinds = 0;
  for (const name of names) {
    const bits = TYPES.get(name);
    if (bits === undefined || names.length === 0) {
      const guess = nearest(String(name), ["null", ...typeNames()]);
      const hint = guess === undefined ? `: one of ${typeNames().join(", ")}` : `; "${guess}"?`;
      throw keywords.refusal("type", `${JSON.stringify(name)} is no JSON type${hint}`);
    }
    kinds |= bits;
  }
  return kinds;
}

function typeNames(): string[] {
  return [...TYPES.keys()].map(String);
}

function refuseUnknownKeywords(schema: JsonSchemaObject, pointer: string): void {
  for (const keyword of Object.keys(schema)) {
    if (keyword.startsWith("x-") || KEYWORD_SETS.some((set) => set.has(keyword))) continue;
    const guess = nearest(
      keyword,
      KEYWORD_SETS.flatMap((set) => [...set]),
    );
    throw new SchemaError(SchemaErrorCode.keywordUnknown, {
      pointer: `${pointer}/${encodePointerToken(keyword)}`,
      message:
        `the schema keyword "${keyword}" at ${pointer || "the root"} is not known` +
        (guess === undefined ? "" : `; did you mean "${guess}"?`) +
        ` (notes of your own start with "x-")`,
    });
  }
}

/** A `$ref` with nothing but annotations beside it simply is its target. */
function isAlias(schema: JsonSchemaObject): boolean {
  if (!Object.hasOwn(schema, "$ref")) return false;
  if (schema["x-secret"] === true || schema["writeOnly"] === true) return false;
  return Object.keys(schema).every(
    (key) =>
      key === "$ref" || key === "$defs" || key.startsWith("x-") || ANNOTATION_KEYWORDS.has(key),
  );
}

function resolveAlias(reader: SchemaReader, schema: JsonSchemaObject, pointer: string): SchemaNode {
  const seen = new Set([pointer]);
  let current: JsonSchemaObject = schema;
  for (;;) {
    const place = refPointer(current, pointer);
    const target = lookUp(reader, place, pointer);
    if (seen.has(place)) throw endless(pointer);
    seen.add(place);
    if (!isSchemaObject(target) || !isAlias(target)) return shared(reader.node(target, place));
    current = target;
  }
}

function resolveRef(reader: SchemaReader, schema: JsonSchemaObject, pointer: string): SchemaNode {
  const place = refPointer(schema, pointer);
  return shared(reader.node(lookUp(reader, place, pointer), place));
}

function shared(node: SchemaNode): SchemaNode {
  return Object.assign(node, { shared: true });
}

function refPointer(schema: JsonSchemaObject, pointer: string): string {
  const ref = schema["$ref"];
  if (typeof ref !== "string" || !ref.startsWith("#")) {
    throw new SchemaError(SchemaErrorCode.refUnresolved, {
      pointer: `${pointer}/$ref`,
      message:
        `${JSON.stringify(ref)} at ${pointer || "the root"} is no reference into this schema; ` +
        `write "#/$defs/<name>"`,
    });
  }
  try {
    return decodeURIComponent(ref.slice(1));
  } catch {
    // Not percent-encoded after all: the text as it stands.
    return ref.slice(1);
  }
}

function lookUp(reader: SchemaReader, place: string, from: string): unknown {
  const target = getAtPointer(reader.document, place);
  if (typeof target === "boolean" || isSchemaObject(target)) return target;
  const definitions = isSchemaObject(reader.document) ? reader.document["$defs"] : undefined;
  const names = isSchemaObject(definitions) ? Object.keys(definitions) : [];
  const guess = nearest(place.replace("/$defs/", ""), names);
  throw new SchemaError(SchemaErrorCode.refUnresolved, {
    pointer: `${from}/$ref`,
    message:
      `"#${place}" leads to no schema` +
      (guess === undefined ? "" : `; did you mean "#/$defs/${guess}"?`),
  });
}

/** Refuses schemas that apply to themselves without going deeper into the value. */
function refuseEndless(nodes: Iterable<SchemaNode>): void {
  const done = new Set<SchemaNode>();
  const open = new Set<SchemaNode>();
  const visit = (node: SchemaNode): void => {
    if (done.has(node)) return;
    if (open.has(node)) throw endless(node.pointer);
    open.add(node);
    for (const part of samePlaceParts(node)) visit(part);
    open.delete(node);
    done.add(node);
  };
  for (const node of nodes) visit(node);
}

function endless(pointer: string): SchemaError {
  return new SchemaError(SchemaErrorCode.refUnresolved, {
    pointer: pointer,
    message: `the schema at ${pointer || "the root"} refers back to itself without going into the value`,
  });
}
