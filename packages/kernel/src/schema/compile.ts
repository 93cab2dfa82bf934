// Turns a schema into a validator and copier. The schema is read at once, so that a bad one is
// refused where it is written; code is generated at the first use of each kind.
import { generateParser, type GeneratedFlavour, type GeneratedParser } from "./generate.ts";
import { completeDefault, interpret } from "./interpret.ts";
import type { Issue, ParseMode } from "./issue.ts";
import type { JsonSchema } from "./json-schema.ts";
import { FAIL } from "./json-value.ts";
import { readSchema } from "./read-schema.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import type { SchemaNode } from "./schema-node.ts";
import {
  type InferOutput,
  isStandardSchema,
  type Schema,
  type StandardSchema,
  toJsonSchema,
} from "./standard.ts";
import { validateStandard } from "./validate-standard.ts";

/** A schema made ready for use. `T` is the type of a valid value. */
export interface CompiledSchema<T = unknown> {
  /** The JSON Schema 2020-12 of what goes in. */
  readonly jsonSchema: JsonSchema;

  /**
   * Validates and returns a fresh copy that holds only what the schema names, defaults filled in;
   * the copy shares no object with the value. When the value is not valid the result is
   * `undefined` and what is wrong is appended to `issues` (at most 20). Never throws for a value.
   */
  parse(value: unknown, mode: ParseMode, issues: Issue[]): T | undefined;

  /**
   * A fresh copy of a value known to be valid, without what the schema does not name. Constraints
   * are not checked again. Throws `SchemaError` when the value does not even have the right shape.
   */
  copy(value: T): T;
}

/**
 * How a schema does its work: `adaptive` walks it for the first uses and then writes JavaScript for
 * it, because a schema used once (a configuration) never earns back what writing code costs.
 * `generate` writes code at the first use, `interpret` never does.
 */
export type SchemaEngine = "adaptive" | "generate" | "interpret";

export interface CompileOptions {
  /**
   * Default `adaptive`. Where Node runs with `--disallow-code-generation-from-strings` every
   * engine interprets.
   */
  readonly engine?: SchemaEngine;
}

/**
 * Compiles any accepted schema: made by `t` or TypeBox, plain JSON Schema, or a Standard Schema
 * (whose own `validate` then runs after the check of its JSON Schema, so refinements hold and
 * transforms happen). Throws `SchemaError` for a schema that cannot be used.
 */
export function compileSchema<S extends Schema>(
  schema: S,
  options: CompileOptions = {},
): CompiledSchema<InferOutput<S>> {
  const engine = options.engine ?? "adaptive";
  const input = new NodeParser(toJsonSchema(schema, "input"), engine);
  const compiled = isStandardSchema(schema)
    ? new StandardParser(schema, input, new NodeParser(toJsonSchema(schema, "output"), engine))
    : input;
  // What passes is what the schema's static type says: that is the meaning of validation.
  return compiled as CompiledSchema<InferOutput<S>>;
}

/** Uses before code is written: one costs about as much as a hundred interpreted uses. */
const INTERPRETED_USES = 8;

/** A JSON Schema ready for use. */
class NodeParser implements CompiledSchema {
  readonly jsonSchema: JsonSchema;
  readonly #root: SchemaNode;
  /** Uses that are still interpreted. */
  #interpreted: number;
  #strict: GeneratedParser | undefined;
  #tolerant: GeneratedParser | undefined;
  #copy: GeneratedParser | undefined;

  constructor(schema: JsonSchema, engine: SchemaEngine) {
    this.jsonSchema = schema;
    const { root, nodes } = readSchema(schema);
    for (const node of nodes) {
      for (const rule of node.object?.properties ?? []) {
        if (rule.fill !== undefined) completeDefault(rule.node, rule.fill);
      }
    }
    this.#root = root;
    this.#interpreted = engine === "interpret" ? Infinity : 0;
    if (engine === "adaptive") this.#interpreted = INTERPRETED_USES;
  }

  parse(value: unknown, mode: ParseMode, issues: Issue[]): unknown {
    const parser = mode === "strict" ? this.#strict : this.#tolerant;
    const copy = (parser ?? this.#parser(mode))(value, 0);
    if (copy !== FAIL) return copy;
    // The interpreter finds the words. It is the reference: should it find nothing, it is right.
    const explained = interpret(this.#root, value, { mode, issues });
    return explained === FAIL ? undefined : explained;
  }

  copy(value: unknown): unknown {
    const copy = (this.#copy ?? this.#parser("copy"))(value, 0);
    if (copy !== FAIL) return copy;
    const issues: Issue[] = [];
    const trusted = interpret(this.#root, value, { mode: "trusting", issues });
    if (trusted !== FAIL) return trusted;
    const [issue] = issues;
    throw new SchemaError(SchemaErrorCode.copyInvalid, {
      pointer: issue?.pointer ?? "",
      message: `the value to copy does not have the shape of its schema: ${issue?.message ?? "too deep"}`,
    });
  }

  /** The parser for this use: the interpreter at first, then generated code, which is kept. */
  #parser(flavour: GeneratedFlavour): GeneratedParser {
    if (this.#interpreted > 0 || !mayGenerate()) {
      this.#interpreted -= 1;
      return REFUSES;
    }
    const parser = generateParser(this.#root, flavour);
    if (flavour === "strict") this.#strict = parser;
    else if (flavour === "tolerant") this.#tolerant = parser;
    else this.#copy = parser;
    return parser;
  }
}

/** Stands for code not yet written: it refuses, and so the interpreter decides. */
const REFUSES: GeneratedParser = () => FAIL;

let generating: boolean | undefined;

/** False where Node was told to refuse code made of strings. */
function mayGenerate(): boolean {
  if (generating !== undefined) return generating;
  try {
    generateParser(readSchema(true).root, "tolerant");
    generating = true;
  } catch (error) {
    // Only the refusal itself means "interpret"; anything else is a bug and must be seen.
    if (!(error instanceof EvalError)) throw error;
    generating = false;
  }
  return generating;
}

/** A schema of another library: its JSON Schema first, then its own validation. */
class StandardParser implements CompiledSchema {
  readonly jsonSchema: JsonSchema;
  readonly #schema: StandardSchema;
  readonly #input: NodeParser;
  readonly #output: NodeParser;

  constructor(schema: StandardSchema, input: NodeParser, output: NodeParser) {
    this.jsonSchema = input.jsonSchema;
    this.#schema = schema;
    this.#input = input;
    this.#output = output;
  }

  parse(value: unknown, mode: ParseMode, issues: Issue[]): unknown {
    const copy = this.#input.parse(value, mode, issues);
    return copy === undefined
      ? undefined
      : validateStandard(this.#schema, copy, { issues, jsonSchema: this.jsonSchema });
  }

  copy(value: unknown): unknown {
    return this.#output.copy(value);
  }
}
