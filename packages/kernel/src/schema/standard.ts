// Standard Schema 1.1 (standardschema.dev): how other schema libraries offer their validation and
// their JSON Schema. The interfaces are written after the public specification; no package needed.
import type { Static, TSchema } from "typebox";
import { type JsonSchema, isSchemaObject } from "./json-schema.ts";
import { plainJsonSchema } from "./plain-schema.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";

/** A schema of another library that validates and offers its JSON Schema. */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": StandardSchemaProps<Input, Output>;
}

/** What stands under `~standard`. */
export interface StandardSchemaProps<Input = unknown, Output = Input> {
  readonly version: 1;
  /** The library's name. */
  readonly vendor: string;
  readonly validate: (
    value: unknown,
    options?: StandardValidateOptions,
  ) => StandardResult<Output> | Promise<StandardResult<Output>>;
  /** Never there at run time; carries the static types. */
  readonly types?: StandardTypes<Input, Output> | undefined;
  /** StandardJSONSchemaV1. Optional in the specification, needed here. */
  readonly jsonSchema?: StandardJsonSchemaConverter;
}

export interface StandardValidateOptions {
  readonly libraryOptions?: Readonly<Record<string, unknown>> | undefined;
}

export interface StandardTypes<Input = unknown, Output = Input> {
  readonly input: Input;
  readonly output: Output;
}

/** Without `issues` the value is valid. */
export type StandardResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** Says what JSON goes in and what comes out; throws for what JSON Schema cannot say. */
export interface StandardJsonSchemaConverter {
  readonly input: (options: StandardJsonSchemaOptions) => Record<string, unknown>;
  readonly output: (options: StandardJsonSchemaOptions) => Record<string, unknown>;
}

export interface StandardJsonSchemaOptions {
  /** Libraries may know further targets; an unknown one makes them throw. */
  readonly target: "draft-2020-12" | "draft-07" | "openapi-3.0" | ({} & string);
  readonly libraryOptions?: Readonly<Record<string, unknown>> | undefined;
}

/**
 * Every schema this platform accepts: made by `t` or TypeBox, plain JSON Schema 2020-12, or a
 * Standard Schema that offers its JSON Schema (zod 4, and others).
 */
export type Schema = TSchema | StandardSchema;

/** The static type of what goes in (on the wire, before defaults and transforms). */
export type InferInput<S> = S extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly input: infer Input }
    ? Input
    : unknown
  : S extends TSchema
    ? Static<S>
    : never;

/** The static type of what comes out (defaults filled in, transforms done). */
export type InferOutput<S> = S extends { readonly "~standard": { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly output: infer Output }
    ? Output
    : unknown
  : S extends TSchema
    ? Static<S>
    : never;

/** True for a schema of another library. */
export function isStandardSchema(schema: unknown): schema is StandardSchema {
  // zod's schemas are objects, arktype's are functions.
  if (typeof schema !== "function" && (typeof schema !== "object" || schema === null)) return false;
  if (!("~standard" in schema)) return false;
  const props = schema["~standard"];
  return isSchemaObject(props) && props["version"] === 1 && typeof props["validate"] === "function";
}

/**
 * The schema as plain JSON Schema 2020-12: hidden marks dropped, TypeBox's tuples written as
 * `prefixItems`, what a Standard Schema says of its input or output. A fresh object each time.
 * Throws `SchemaError` for a Standard Schema without JSON Schema.
 */
export function toJsonSchema(schema: Schema, side: "input" | "output"): JsonSchema {
  if (!isStandardSchema(schema)) return plainJsonSchema(schema);
  const { vendor, jsonSchema } = schema["~standard"];
  if (typeof jsonSchema?.[side] !== "function") {
    throw new SchemaError(SchemaErrorCode.jsonSchemaMissing, {
      pointer: "",
      message:
        `this ${vendor} schema does not offer its JSON Schema (Standard Schema 1.1, ` +
        `"~standard".jsonSchema), so it cannot be documented or checked at the edge; use a ` +
        `version of ${vendor} that does, or write the schema with t`,
    });
  }
  let document: unknown;
  try {
    document = jsonSchema[side]({ target: "draft-2020-12" });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new SchemaError(SchemaErrorCode.jsonSchemaFailed, {
      pointer: "",
      message:
        `this ${vendor} schema cannot say its ${side} as JSON Schema (${reason}); give the part ` +
        `that JSON Schema cannot say a schema of its own (in zod: .transform(…).pipe(…))`,
      cause,
    });
  }
  return plainJsonSchema(document, { open: side === "output" });
}
