// The schema builder. Its types are TypeBox's, so `Static`, inference and editor help are the ones
// people know; its run time is this file, because TypeBox's own costs a node most of its start.
// What it builds is plain JSON Schema and equal to what TypeBox builds for the same call (a test
// compares the two), hidden marks included, so both can be mixed freely.
import type { TEnum, TSchema, TSchemaOptions, TString, TStringOptions, Type } from "typebox";
import { createObject, createSchema, markSchema } from "./schema-marks.ts";
import { omitProperties, partialOf, pickProperties } from "./object-algebra.ts";
import { recordOf } from "./record-schema.ts";

type Options = Readonly<Record<string, unknown>>;

/** The builder as its users see it: TypeBox's signatures, and `Secret`. */
export interface SchemaBuilder {
  /** A string. */
  readonly String: typeof Type.String;
  /** A whole number. */
  readonly Integer: typeof Type.Integer;
  /** A finite number. */
  readonly Number: typeof Type.Number;
  readonly Boolean: typeof Type.Boolean;
  readonly Null: typeof Type.Null;
  /** Exactly this string, number or boolean. */
  readonly Literal: typeof Type.Literal;
  /** Any JSON value; it is copied whole. */
  readonly Unknown: typeof Type.Unknown;
  /** An object with these properties; those wrapped in `Optional` may be absent. */
  readonly Object: typeof Type.Object;
  readonly Array: typeof Type.Array;
  /** An array with exactly these members. */
  readonly Tuple: typeof Type.Tuple;
  /** An object used as a map; the key is `String`, `Integer`, `Number`, `Enum` or literals. */
  readonly Record: typeof Type.Record;
  /** One of several schemas. Objects with a common literal property give the best errors. */
  readonly Union: typeof Type.Union;
  /** All of these objects at once. */
  readonly Intersect: typeof Type.Intersect;
  /** A closed set of strings. */
  readonly Enum: <Values extends string[]>(
    values: readonly [...Values],
    options?: TSchemaOptions,
  ) => TEnum<Values>;
  /** Marks a property that may be absent. */
  readonly Optional: typeof Type.Optional;
  /** Marks a property as `readonly` in the static type; says nothing at run time. */
  readonly Readonly: typeof Type.Readonly;
  /** The object with every property optional. */
  readonly Partial: typeof Type.Partial;
  readonly Pick: typeof Type.Pick;
  readonly Omit: typeof Type.Omit;
  /** Any JSON Schema, with a static type you vouch for. */
  readonly Unsafe: typeof Type.Unsafe;
  /** Schemas that refer to themselves: `t.Cyclic({ Node: t.Object({ … }) }, "Node")`. */
  readonly Cyclic: typeof Type.Cyclic;
  /** A reference to a definition of the `Cyclic` around it. */
  readonly Ref: typeof Type.Ref;
  /** A string that no log, error or console ever shows. */
  readonly Secret: (options?: TStringOptions) => TString;
}

// The cast is safe because every function below builds the schema that TypeBox's function of the
// same name builds; t.test.ts holds each of them against the original.
/** Builds schemas: `t.Object({ name: t.String({ minLength: 1 }) })`. */
export const t = {
  String: (options?: Options) => createSchema("String", { type: "string" }, options),
  Integer: (options?: Options) => createSchema("Integer", { type: "integer" }, options),
  Number: (options?: Options) => createSchema("Number", { type: "number" }, options),
  Boolean: (options?: Options) => createSchema("Boolean", { type: "boolean" }, options),
  Null: (options?: Options) => createSchema("Null", { type: "null" }, options),
  Literal: (value: string | number | boolean, options?: Options) =>
    createSchema("Literal", { type: typeof value, const: value }, options),
  Unknown: (options?: Options) => createSchema("Unknown", {}, options),
  Object: createObject,
  Array: (items: TSchema, options?: Options) =>
    createSchema("Array", { type: "array", items }, options),
  Tuple: (types: readonly TSchema[], options?: Options) =>
    createSchema(
      "Tuple",
      { type: "array", additionalItems: false, items: types, minItems: types.length },
      options,
    ),
  Record: recordOf,
  Union: (anyOf: readonly TSchema[], options?: Options) =>
    createSchema("Union", { anyOf }, options),
  Intersect: (allOf: readonly TSchema[], options?: Options) =>
    createSchema("Intersect", { allOf }, options),
  Enum: (values: readonly string[], options?: Options) =>
    createSchema("Enum", { enum: values }, options),
  Optional: (schema: TSchema) => markSchema(schema, { "~optional": true }),
  Readonly: (schema: TSchema) => markSchema(schema, { "~readonly": true }),
  Partial: partialOf,
  Pick: pickProperties,
  Omit: omitProperties,
  Unsafe: (schema: TSchema) => markSchema(schema, { "~unsafe": null }),
  Cyclic: cyclicOf,
  Ref: ($ref: string, options?: Options) => createSchema("Ref", { $ref }, options),
  Secret: (options?: Options) =>
    createSchema("String", { type: "string" }, { ...options, "x-secret": true }),
} as unknown as SchemaBuilder;

function cyclicOf(
  definitions: Readonly<Record<string, TSchema>>,
  $ref: string,
  options?: Options,
): TSchema {
  const $defs: Record<string, TSchema> = {};
  for (const [name, definition] of Object.entries(definitions)) {
    $defs[name] = markSchema(definition, {}, { $id: name });
  }
  return createSchema("Cyclic", { $defs, $ref }, options);
}
