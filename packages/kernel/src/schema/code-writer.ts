// The page on which generated code is written: lines, fresh variable names, constants.
//
// Nothing a schema says is ever pasted into code: names and texts go in as JSON string literals,
// regular expressions, sets and objects through the array of constants `K`.
import type { SchemaNode } from "./schema-node.ts";

/**
 * What a function is written for. `branch` leaves undescribed what its schema does not describe;
 * the others finish their copy. `copy` trusts the value and checks no more than its shape.
 */
export type Flavour = "strict" | "tolerant" | "copy" | "branch";

/** Where a value is: the variable that holds it, and how deep below the function's own value. */
export interface ValueAt {
  readonly x: string;
  readonly level: number;
}

/** Writes the code of a node for the value at `x`; answers the expression of its copy. */
export type WriteNode = (writer: CodeWriter, node: SchemaNode, at: ValueAt) => string;

/** One program: the functions of a schema that start from one flavour. */
export interface Program {
  readonly constants: unknown[];
  /** Functions asked for and not yet written, by name. */
  readonly pending: Map<string, { readonly node: SchemaNode; readonly flavour: Flavour }>;
  readonly names: Set<string>;
  /** Writes any node; here, so that the writers of parts need not know the whole. */
  readonly writeNode: WriteNode;
}

/** One function being written. */
export class CodeWriter {
  readonly program: Program;
  readonly flavour: Flavour;
  readonly lines: string[] = [];
  #variables = 0;

  constructor(program: Program, flavour: Flavour) {
    this.program = program;
    this.flavour = flavour;
  }

  /** True unless the value is trusted. */
  get checks(): boolean {
    return this.flavour !== "copy";
  }

  /** Writes the code of a part. */
  node(node: SchemaNode, at: ValueAt): string {
    return this.program.writeNode(this, node, at);
  }

  write(line: string): void {
    this.lines.push(line);
  }

  /** A variable name that nothing else in the function has. */
  variable(): string {
    this.#variables += 1;
    return `v${this.#variables}`;
  }

  /** Writes `const v = expression;` and answers the name. */
  define(expression: string): string {
    const name = this.variable();
    this.write(`const ${name} = ${expression};`);
    return name;
  }

  /** Writes a test after which the value is known to be right. */
  failIf(condition: string): void {
    this.write(`if (${condition}) return FAIL;`);
  }

  /** The expression of a constant that is no literal. */
  constant(value: unknown): string {
    const { constants } = this.program;
    const known = constants.indexOf(value);
    if (known >= 0) return `K[${known}]`;
    constants.push(value);
    return `K[${constants.length - 1}]`;
  }

  /** The name of a node's function, which will be written in its turn. */
  functionName(node: SchemaNode, flavour: Flavour): string {
    const name = `${flavour}${node.id}`;
    if (!this.program.names.has(name)) {
      this.program.names.add(name);
      this.program.pending.set(name, { node, flavour });
    }
    return name;
  }
}

/** A scalar or a text as a literal that means just that, wherever it stands. */
export function literal(value: unknown): string {
  // Only JSON scalars reach this; JSON text is an expression of the same value in JavaScript.
  return JSON.stringify(value);
}

/** The depth of a place: the depth at which the function was entered, and the levels since. */
export function depthAt(level: number): string {
  return level === 0 ? "d" : `d + ${level}`;
}
