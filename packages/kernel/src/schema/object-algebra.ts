// `Partial`, `Pick` and `Omit`: new object schemas out of old ones, at run time.
import type { TSchema } from "typebox";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import { createObject, createSchema, keywordOf, kindOf, markSchema } from "./schema-marks.ts";

type Options = Readonly<Record<string, unknown>>;
type Properties = Readonly<Record<string, TSchema>>;

/** The schema with every property optional; a union becomes a union of partial objects. */
export function partialOf(schema: TSchema, options: Options = {}): TSchema {
  if (kindOf(schema) === "Union") {
    const branches = schemasOf(schema, "anyOf").map((branch) => partialOf(branch));
    return markSchema(createSchema("Union", { anyOf: branches }), {}, options);
  }
  const properties = Object.entries(propertiesOf(schema, "Partial"));
  const optional = properties.map(([name, property]) => [
    name,
    markSchema(property, { "~optional": true }),
  ]);
  return markSchema(createObject(fromEntries(optional)), {}, options);
}

/** The object with these properties alone. Keys: an array, or a schema of literals. */
export function pickProperties(schema: TSchema, keys: unknown, options: Options = {}): TSchema {
  return filterProperties(schema, options, selects("Pick", keys));
}

/** The object without these properties. Keys: an array, or a schema of literals. */
export function omitProperties(schema: TSchema, keys: unknown, options: Options = {}): TSchema {
  const selected = selects("Omit", keys);
  return filterProperties(schema, options, (name) => !selected(name));
}

function filterProperties(
  schema: TSchema,
  options: Options,
  keep: (name: string) => boolean,
): TSchema {
  const properties = Object.entries(propertiesOf(schema, "Pick and t.Omit"));
  const kept = properties.filter(([name]) => keep(name));
  return markSchema(createObject(fromEntries(kept)), {}, options);
}

function selects(verb: string, keys: unknown): (name: string) => boolean {
  const names = new Set(Array.isArray(keys) ? keys.map(String) : literalNames(keys));
  if (names.size === 0 && !Array.isArray(keys)) {
    throw refusal(`t.${verb} takes an array of property names or a schema of string literals`);
  }
  return (name) => names.has(name);
}

/** The names that a schema of literals stands for; empty when it is anything else. */
export function literalNames(schema: unknown): string[] {
  if (typeof schema !== "object" || schema === null) return [];
  const kind = kindOf(schema);
  if (kind === "Literal") return [String(keywordOf(schema, "const"))];
  if (kind === "Enum") {
    const values = keywordOf(schema, "enum");
    return Array.isArray(values) ? values.map(String) : [];
  }
  if (kind !== "Union") return [];
  const branches = schemasOf(schema, "anyOf").map(literalNames);
  return branches.some((names) => names.length === 0) ? [] : branches.flat();
}

function propertiesOf(schema: TSchema, verb: string): Properties {
  const kind = kindOf(schema);
  if (kind === "Object") {
    // An object schema always carries its properties: `createObject` is the only maker.
    return keywordOf(schema, "properties") as Properties;
  }
  if (kind === "Intersect") {
    const merged: [string, TSchema][] = [];
    for (const part of schemasOf(schema, "allOf")) {
      for (const [name, property] of Object.entries(propertiesOf(part, verb))) {
        if (merged.some(([known]) => known === name)) {
          throw refusal(`t.${verb} cannot join the property "${name}" that two parts declare`);
        }
        merged.push([name, property]);
      }
    }
    return fromEntries(merged);
  }
  throw refusal(`t.${verb} takes an object or an intersection of objects`);
}

function schemasOf(schema: TSchema, keyword: "allOf" | "anyOf"): TSchema[] {
  const parts = keywordOf(schema, keyword);
  // A schema of this kind was made with an array of schemas.
  return Array.isArray(parts) ? (parts as TSchema[]) : [];
}

/** `Object.fromEntries` for names that may include `__proto__` (it defines, it never assigns). */
function fromEntries(entries: readonly (readonly [string, TSchema] | unknown[])[]): Properties {
  // Every caller builds pairs of a name and a schema.
  return Object.fromEntries(entries as [string, TSchema][]);
}

function refusal(message: string): SchemaError {
  return new SchemaError(SchemaErrorCode.keywordInvalid, { pointer: "", message: message });
}
