/** A schema at a boundary: parses what comes in, copies what is trusted, names what is wrong. */

import type { ErrorConstructorOf } from "../errors/catalogue.ts";
import { compileSchema } from "../schema/compile.ts";
import type { CompiledSchema } from "../schema/compile.ts";
import type { Issue, ParseMode } from "../schema/issue.ts";
import { SchemaError } from "../schema/schema-error.ts";
import { isStandardSchema, toJsonSchema } from "../schema/standard.ts";
import type { Schema } from "../schema/standard.ts";

export interface CodecOptions {
  /** What is described, for messages: `"The request of greeter.greet"`. */
  readonly what: string;
  /** The error answered when a value does not fit. */
  readonly refuse: ErrorConstructorOf;
  /**
   * Which side of a transforming schema the value is on. Default `input`: what a caller sends, run
   * through the schema's transforms. `output`: what came out of them, such as a stored value.
   */
  readonly side?: "input" | "output";
}

/** Lent to every parse, because nearly all find nothing; empty again before anybody else asks. */
const noIssues: Issue[] = [];

/** Validates and copies values of one schema. Compiled at first use. */
export class Codec {
  readonly #schema: Schema;
  readonly #options: CodecOptions;
  #compiled: CompiledSchema | undefined = undefined;

  constructor(schema: Schema, options: CodecOptions) {
    this.#schema = schema;
    this.#options = options;
  }

  /**
   * A fresh, valid value. `trusted` only copies: for callers held to the types at compile time.
   * @throws the codec's error with `details.issues`.
   */
  parse(value: unknown, mode: ParseMode | "trusted"): unknown {
    const compiled = (this.#compiled ??= this.#compile());
    // Another library's schema may transform, which a copy would leave out.
    if (mode === "trusted" && !isStandardSchema(this.#schema)) return this.#copy(compiled, value);
    const issues = noIssues.length === 0 ? noIssues : [];
    const parsed = compiled.parse(value, mode === "strict" ? mode : "tolerant", issues);
    if (issues.length > 0) throw this.#refusal(issues.splice(0));
    return parsed;
  }

  #compile(): CompiledSchema {
    const { side = "input" } = this.#options;
    return compileSchema(side === "input" ? this.#schema : toJsonSchema(this.#schema, side));
  }

  #copy(compiled: CompiledSchema, value: unknown): unknown {
    try {
      return compiled.copy(value);
    } catch (error) {
      if (!(error instanceof SchemaError)) throw error;
      // It was not to be trusted after all. Asked again, the validator says where and why.
      const issues: Issue[] = [];
      compiled.parse(value, "tolerant", issues);
      throw this.#refusal(issues);
    }
  }

  #refusal(found: readonly Issue[]): Error {
    // A misspelt name explains the missing one, so it is told first.
    const isMisspelt = ({ suggestion }: Issue): number => (suggestion === undefined ? 1 : 0);
    const issues = found.toSorted((a, b) => isMisspelt(a) - isMisspelt(b));
    const [first] = issues;
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
    const message = `${this.#options.what} is not valid: ${first?.message ?? "unknown"}${more}`;
    return this.#options.refuse(message, { details: { issues } });
  }
}
