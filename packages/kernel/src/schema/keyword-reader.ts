// Reads the keywords of one schema object and refuses values that make no sense, by place.
import { isSchemaObject, type JsonSchema, type JsonSchemaObject } from "./json-schema.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import type { SchemaNode } from "./schema-node.ts";

/** Reads one document: nodes by their place, so that a reference finds the node it means. */
export interface SchemaReader {
  readonly document: JsonSchema;
  readonly nodes: Map<string, SchemaNode>;
  /** The node of the schema at a place. */
  node(schema: unknown, pointer: string): SchemaNode;
}

/** One schema object and where it stands. */
export class KeywordReader {
  readonly schema: JsonSchemaObject;
  readonly pointer: string;

  constructor(schema: JsonSchemaObject, pointer: string) {
    this.schema = schema;
    this.pointer = pointer;
  }

  has(...keywords: readonly string[]): boolean {
    return keywords.some((keyword) => this.schema[keyword] !== undefined);
  }

  /** A count: a whole number, not negative. */
  count(keyword: string, otherwise: number): number {
    const value = this.schema[keyword];
    if (value === undefined) return otherwise;
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < 0) {
      throw this.refusal(keyword, "must be a whole number, not negative");
    }
    return value;
  }

  number(keyword: string): number | undefined {
    const value = this.schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== "number" || !Number.isFinite(value)) {
      throw this.refusal(keyword, "must be a finite number");
    }
    return value;
  }

  text(keyword: string): string | undefined {
    const value = this.schema[keyword];
    if (value === undefined) return undefined;
    if (typeof value !== "string") throw this.refusal(keyword, "must be a string");
    return value;
  }

  flag(keyword: string): boolean {
    const value = this.schema[keyword];
    if (value === undefined) return false;
    if (typeof value !== "boolean") throw this.refusal(keyword, "must be true or false");
    return value;
  }

  list(keyword: string): readonly unknown[] | undefined {
    const value = this.schema[keyword];
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length === 0) {
      throw this.refusal(keyword, "must be an array with at least one member");
    }
    const list: readonly unknown[] = value;
    return list;
  }

  names(keyword: string): readonly string[] {
    const value = this.schema[keyword];
    if (value === undefined) return [];
    if (!isNameList(value)) throw this.refusal(keyword, "must be an array of property names");
    return value;
  }

  map(keyword: string): readonly (readonly [string, unknown])[] {
    const value = this.schema[keyword];
    if (value === undefined) return [];
    if (!isSchemaObject(value)) throw this.refusal(keyword, "must be an object");
    return Object.entries(value);
  }

  pattern(source: string, keyword: string): RegExp {
    try {
      return new RegExp(source, "u");
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw this.refusal(keyword, `is no regular expression with the u flag: ${reason}`);
    }
  }

  /** The values that `enum` and `const` allow together; `undefined` when neither is there. */
  values(): readonly unknown[] | undefined {
    const { schema } = this;
    const constant = schema["const"];
    const list = schema["enum"];
    if (list !== undefined && !Array.isArray(list)) throw this.refusal("enum", "must be an array");
    if (constant === undefined) return list;
    if (list === undefined) return [constant];
    const wanted = JSON.stringify(constant);
    return list.some((value) => JSON.stringify(value) === wanted) ? [constant] : [];
  }

  refusal(keyword: string, reason: string): SchemaError {
    return new SchemaError(SchemaErrorCode.keywordInvalid, {
      pointer: `${this.pointer}/${keyword}`,
      message: `"${keyword}" at ${this.pointer || "the root"} of the schema ${reason}`,
    });
  }
}

export function isNameList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((name) => typeof name === "string");
}
