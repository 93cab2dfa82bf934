// How TypeBox marks its schemas: hidden (not enumerable) properties `~kind`, `~optional`,
// `~readonly`, `~unsafe`. JSON never shows them; TypeBox's types and functions rely on them.
import type { TSchema } from "typebox";

type Fields = Readonly<Record<string, unknown>>;

/** A schema of one kind. Options come last and may overrule, as in TypeBox. */
export function createSchema(kind: string, keywords: Fields, options: Fields = {}): TSchema {
  return hide({ ...keywords, ...options }, { "~kind": kind });
}

/** A copy of the schema, marks kept, with more marks and, if given, more keywords. */
export function markSchema(schema: TSchema, marks: Fields, keywords: Fields = {}): TSchema {
  const copy: TSchema = {};
  for (const key of Object.getOwnPropertyNames(schema)) {
    if (Object.hasOwn(keywords, key)) continue;
    const descriptor = Object.getOwnPropertyDescriptor(schema, key);
    if (descriptor !== undefined) Object.defineProperty(copy, key, descriptor);
  }
  hide(copy, marks);
  return Object.assign(copy, keywords);
}

/** The schema of an object; `required` are the properties without the mark of `Optional`. */
export function createObject(properties: Readonly<Record<string, TSchema>>, options?: Fields) {
  const required = Object.keys(properties).filter((name) => {
    const schema = properties[name];
    return schema !== undefined && !Object.hasOwn(schema, "~optional");
  });
  const keywords = required.length > 0 ? { required } : {};
  return createSchema("Object", { type: "object", ...keywords, properties }, options);
}

/** The kind a schema was marked with, or `undefined` for one written by hand. */
export function kindOf(schema: TSchema): string | undefined {
  const kind: unknown = Object.getOwnPropertyDescriptor(schema, "~kind")?.value;
  return typeof kind === "string" ? kind : undefined;
}

/** The value of a keyword, whatever the schema is. */
export function keywordOf(schema: TSchema, keyword: string): unknown {
  return Object.getOwnPropertyDescriptor(schema, keyword)?.value;
}

function hide(schema: TSchema, marks: Fields): TSchema {
  for (const [key, value] of Object.entries(marks)) {
    Object.defineProperty(schema, key, {
      value,
      enumerable: false,
      writable: true,
      configurable: true,
    });
  }
  return schema;
}
