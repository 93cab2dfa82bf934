// A schema as the interpreter and the generator read it: every keyword checked and typed, every
// reference resolved (so nodes may form cycles), every regular expression compiled.
import type { StringFormat } from "./string-format.ts";

/** The kinds of JSON values as bits, so that a `type` is one number. */
export const Kind = {
  null: 1,
  boolean: 2,
  /** A number without a fraction; every integer is a number as well. */
  integer: 4,
  fraction: 8,
  string: 16,
  object: 32,
  array: 64,
} as const;

/** Every kind: a schema without `type`. */
export const KIND_ANY = 127;
/** Kinds that hold other values. */
export const KIND_CONTAINER = Kind.object | Kind.array;
export const KIND_NUMBER = Kind.integer | Kind.fraction;

export interface SchemaNode {
  /** Unique in its document; names generated functions. */
  readonly id: number;
  /** Where the schema stands in its document. */
  readonly pointer: string;
  /** The schema `false`: nothing is valid. */
  readonly never: boolean;
  /** The kinds allowed, narrowed by `enum` and `const`. */
  readonly kinds: number;
  /** The values allowed by `enum` and `const` together. */
  readonly values: readonly unknown[] | undefined;
  readonly string: StringRules | undefined;
  readonly number: NumberRules | undefined;
  readonly object: ObjectRules | undefined;
  readonly array: ArrayRules | undefined;
  /** `allOf`, and the target of a `$ref` with siblings. */
  readonly all: readonly SchemaNode[];
  readonly any: Branches | undefined;
  readonly one: Branches | undefined;
  readonly not: SchemaNode | undefined;
  readonly conditional: Conditional | undefined;
  /** `x-secret` or `writeOnly`: the value is never shown. */
  readonly secret: boolean;
  /** A `$ref` leads here, so code for it must not be written inline. */
  readonly shared: boolean;
}

export interface StringRules {
  /** In code points. */
  readonly minLength: number;
  readonly maxLength: number;
  readonly pattern: RegExp | undefined;
  readonly format: StringFormat | undefined;
}

export interface NumberRules {
  readonly minimum: number | undefined;
  readonly maximum: number | undefined;
  readonly exclusiveMinimum: number | undefined;
  readonly exclusiveMaximum: number | undefined;
  readonly multipleOf: number | undefined;
}

export interface ObjectRules {
  readonly properties: readonly PropertyRule[];
  /** Required names that `properties` does not list. */
  readonly requiredOthers: readonly string[];
  readonly patterns: readonly PatternRule[];
  /** The schema of all other properties; absent when the keyword is. */
  readonly additional: SchemaNode | undefined;
  readonly names: SchemaNode | undefined;
  readonly minProperties: number;
  readonly maxProperties: number;
  readonly dependentRequired: readonly DependentRule[];
  /** Says which properties there are; an object nobody describes is copied whole. */
  readonly described: boolean;
}

export interface PropertyRule {
  readonly name: string;
  readonly node: SchemaNode;
  readonly required: boolean;
  readonly fill: PropertyDefault | undefined;
}

/** The `default` of a property. */
export interface PropertyDefault {
  readonly value: unknown;
  /** The value completed by its own schema; set once, before the node is used. */
  completed: unknown;
  state: "raw" | "busy" | "completed";
}

export interface PatternRule {
  readonly pattern: RegExp;
  readonly node: SchemaNode;
}

export interface DependentRule {
  readonly name: string;
  readonly needs: readonly string[];
}

export interface ArrayRules {
  readonly prefix: readonly SchemaNode[];
  /** The schema of the items after the prefix; absent when the keyword is. */
  readonly rest: SchemaNode | undefined;
  readonly minItems: number;
  readonly maxItems: number;
  readonly unique: boolean;
  readonly contains: ContainsRule | undefined;
  readonly described: boolean;
}

export interface ContainsRule {
  readonly node: SchemaNode;
  readonly min: number;
  readonly max: number;
}

export interface Branches {
  readonly nodes: readonly SchemaNode[];
  /** The property whose value says which branch is meant. */
  readonly tag: UnionTag | undefined;
}

export interface UnionTag {
  readonly name: string;
  readonly byValue: ReadonlyMap<unknown, SchemaNode>;
}

export interface Conditional {
  readonly test: SchemaNode;
  readonly whenTrue: SchemaNode | undefined;
  readonly whenFalse: SchemaNode | undefined;
}

/** True when the node is no more than its own rules: one schema describes the place. */
export function isPlain(node: SchemaNode): boolean {
  return (
    node.all.length === 0 &&
    node.any === undefined &&
    node.one === undefined &&
    node.not === undefined &&
    node.conditional === undefined
  );
}
