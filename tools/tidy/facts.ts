/**
 * What the rules need to know about one source file, taken from its syntax tree in one walk.
 *
 * oxc-parser gives the tree: TypeScript 7 has no stable compiler API, and a scanner over text
 * takes strings and comments for code.
 */

import { parseSync, Visitor } from "oxc-parser";
import type {
  Comment,
  Declaration,
  Function as FunctionNode,
  Node,
  ParamPattern,
  Program,
} from "oxc-parser";
import { readErrorTables } from "./error-tables.ts";
import type { ErrorTableFact } from "./error-tables.ts";

export interface ImportFact {
  readonly specifier: string;
  readonly line: number;
  readonly names: readonly string[];
}

export interface FunctionFact {
  readonly name: string;
  readonly line: number;
  readonly lines: number;
  readonly parameters: number;
  /** The body of a `describe`: a list of tests, not a piece of logic. */
  readonly isSuite: boolean;
}

export interface UseFact {
  /** `Date.now`, `process.env`, `setTimeout`, `new Date()`, `console`. */
  readonly name: string;
  readonly line: number;
}

/** `export { name } from "./x.ts"`, types included. */
export interface ReexportFact {
  readonly specifier: string;
  readonly name: string;
}

/** An exported declaration. */
export interface DeclarationFact {
  readonly name: string;
  readonly line: number;
  readonly isDocumented: boolean;
}

export interface SourceFacts {
  readonly reexports: readonly ReexportFact[];
  readonly declarations: readonly DeclarationFact[];
  readonly imports: readonly ImportFact[];
  readonly functions: readonly FunctionFact[];
  readonly uses: readonly UseFact[];
  /** Lines with `export *`, `enum` and casts without a reason. */
  readonly exportAllLines: readonly number[];
  readonly enumLines: readonly number[];
  readonly bareCastLines: readonly number[];
  readonly errorTables: readonly ErrorTableFact[];
  /** `code: "X"` given to `new BanyanError` directly, past any catalogue. */
  readonly errorCodes: readonly UseFact[];
  readonly testTitles: readonly TestTitle[];
  readonly comments: readonly CommentFact[];
  readonly syntaxErrors: readonly string[];
}

export interface TestTitle {
  /** The title; `${…}` in a template becomes `*`. */
  readonly title: string;
  readonly line: number;
  readonly skipped: boolean;
}

export interface CommentFact {
  readonly text: string;
  readonly line: number;
}

export function readFacts(path: string, text: string): SourceFacts {
  const parsed = parseSync(path, text);
  const lineOf = lineFinder(text);
  const walk = new Walk(text, lineOf, parsed.comments);
  walk.run(parsed.program);
  return {
    ...walk.facts,
    imports: [...walk.facts.imports].sort((a, b) => a.line - b.line),
    comments: parsed.comments.map(({ value, start }) => ({ text: value, line: lineOf(start) })),
    syntaxErrors: parsed.errors.map(({ message }) => message),
  };
}

/** Maps an offset to its line, counted from 1. */
export function lineFinder(text: string): (offset: number) => number {
  const starts = [0];
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = starts.length;
    while (low + 1 < high) {
      const middle = (low + high) >> 1;
      if ((starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  };
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer E)[] ? E[] : T[K] };
type WalkFacts = Mutable<Omit<SourceFacts, "comments" | "syntaxErrors">>;

const globalsWatched = new Set(["setTimeout", "setInterval"]);
const suiteNames = new Set(["describe", "suite"]);
const testNames = new Set(["test", "it", ...suiteNames]);

class Walk {
  readonly facts: WalkFacts = {
    reexports: [],
    declarations: [],
    imports: [],
    functions: [],
    uses: [],
    exportAllLines: [],
    enumLines: [],
    bareCastLines: [],
    errorTables: [],
    errorCodes: [],
    testTitles: [],
  };
  readonly #text: string;
  readonly #lineOf: (offset: number) => number;
  /** Lines that hold a comment, or are the last line of one. */
  readonly #commentLines = new Set<number>();
  readonly #suites = new Set<Node>();

  constructor(text: string, lineOf: (offset: number) => number, comments: readonly Comment[]) {
    this.#text = text;
    this.#lineOf = lineOf;
    for (const { start, end } of comments) {
      for (let line = lineOf(start); line <= lineOf(end); line++) this.#commentLines.add(line);
    }
  }

  run(program: Program): void {
    const { facts } = this;
    new Visitor({
      ImportDeclaration: (node) => {
        const names = node.specifiers.map((s) =>
          s.type === "ImportSpecifier" && s.imported.type === "Identifier" ? s.imported.name : "*",
        );
        this.#import(node.source.value, node.start, names);
      },
      ExportNamedDeclaration: (node) => {
        if (node.source === null) this.#declaration(node);
        else this.#reexport(node, node.source.value);
      },
      ExportAllDeclaration: (node) => {
        this.#import(node.source.value, node.start, []);
        if (node.exported === null) facts.exportAllLines.push(this.#lineOf(node.start));
      },
      ImportExpression: (node) => {
        if (node.source.type === "Literal" && typeof node.source.value === "string") {
          this.#import(node.source.value, node.start, []);
        }
      },
      TSImportType: (node) => this.#import(node.source.value, node.start, []),
      TSEnumDeclaration: (node) => facts.enumLines.push(this.#lineOf(node.start)),
      TSAsExpression: (node) => this.#cast(node),
      FunctionDeclaration: (node) => this.#function(node, node.id?.name),
      FunctionExpression: (node) => this.#function(node, node.id?.name),
      ArrowFunctionExpression: (node) => this.#function(node, undefined),
      CallExpression: (node) => this.#call(node),
      NewExpression: (node) => this.#new(node),
      MemberExpression: (node) => this.#member(node),
    }).visit(program);
  }

  #import(specifier: string, start: number, names: readonly string[]): void {
    this.facts.imports.push({ specifier, line: this.#lineOf(start), names });
  }

  #reexport(node: Extract<Node, { type: "ExportNamedDeclaration" }>, specifier: string): void {
    this.#import(specifier, node.start, []);
    for (const { local } of node.specifiers) {
      const name = local.type === "Literal" ? local.value : local.name;
      this.facts.reexports.push({ specifier, name });
    }
  }

  /** Documented by a comment in front, by its members' comments, or by the head of its file. */
  #declaration(node: Extract<Node, { type: "ExportNamedDeclaration" }>): void {
    const { declaration, start, end } = node;
    if (declaration === null || declaration === undefined) return;
    const line = this.#lineOf(start);
    const isMain = this.facts.declarations.length === 0 && this.#text.startsWith("/**");
    const isDocumented =
      isMain ||
      /\*\/\s*$/.test(this.#text.slice(0, start)) ||
      this.#text.slice(start, end).includes("/**");
    for (const name of declaredNames(declaration)) {
      // Overloads repeat a name: the first one carries the comment.
      if (this.facts.declarations.some((each) => each.name === name)) continue;
      this.facts.declarations.push({ name, line, isDocumented });
    }
  }

  #cast(node: Extract<Node, { type: "TSAsExpression" }>): void {
    const type = node.typeAnnotation;
    if (type.type === "TSTypeReference" && type.typeName.type === "Identifier") {
      if (type.typeName.name === "const") return;
    }
    const first = this.#lineOf(node.start);
    const last = this.#lineOf(node.end);
    for (let line = first - 1; line <= last; line++) if (this.#commentLines.has(line)) return;
    this.facts.bareCastLines.push(last);
  }

  #function(
    node: FunctionNode | Extract<Node, { type: "ArrowFunctionExpression" }>,
    name: string | undefined,
  ): void {
    const line = this.#lineOf(node.start);
    this.facts.functions.push({
      name: name ?? this.#nameBefore(node.start),
      line,
      lines: this.#lineOf(node.end) - line + 1,
      parameters: node.params.filter((param) => !isThis(param)).length,
      isSuite: this.#suites.has(node),
    });
  }

  /** `close` of `async close(` or `const close = (`: good enough to find the place. */
  #nameBefore(start: number): string {
    const before = this.#text.slice(Math.max(0, start - 60), start);
    return /([#\w$]+)\s*(?:[:=]\s*(?:async\s+)?)?$/.exec(before)?.[1] ?? "a function";
  }

  #call(node: Extract<Node, { type: "CallExpression" }>): void {
    const { callee } = node;
    const line = this.#lineOf(node.start);
    if (callee.type === "Identifier") {
      if (globalsWatched.has(callee.name)) this.facts.uses.push({ name: callee.name, line });
      this.facts.errorTables.push(...readErrorTables(node, this.#lineOf));
    }
    const test = testCallee(callee);
    if (test === undefined) return;
    const [first] = node.arguments;
    const title = first === undefined ? undefined : titleOf(first);
    if (title !== undefined) {
      this.facts.testTitles.push({ title, line, skipped: test.skipped });
    }
    if (suiteNames.has(test.name))
      for (const argument of node.arguments) this.#suites.add(argument);
  }

  #new(node: Extract<Node, { type: "NewExpression" }>): void {
    if (node.callee.type !== "Identifier") return;
    const line = this.#lineOf(node.start);
    if (node.callee.name === "Date" && node.arguments.length === 0) {
      this.facts.uses.push({ name: "new Date()", line });
    }
    const [init] = node.arguments;
    if (node.callee.name !== "BanyanError" || init?.type !== "ObjectExpression") return;
    for (const property of init.properties) {
      if (property.type !== "Property" || property.key.type !== "Identifier") continue;
      const { key, value } = property;
      if (key.name === "code" && value.type === "Literal" && typeof value.value === "string") {
        this.facts.errorCodes.push({ name: value.value, line });
      }
    }
  }

  #member(node: Extract<Node, { type: "MemberExpression" }>): void {
    if (node.object.type !== "Identifier" || node.property.type !== "Identifier") return;
    if (node.computed) return;
    const line = this.#lineOf(node.start);
    this.facts.uses.push({ name: `${node.object.name}.${node.property.name}`, line });
  }
}

function declaredNames(declaration: Declaration): string[] {
  if (declaration.type === "VariableDeclaration") {
    return declaration.declarations.flatMap(({ id }) =>
      id.type === "Identifier" ? [id.name] : [],
    );
  }
  if (!("id" in declaration) || declaration.id?.type !== "Identifier") return [];
  return [declaration.id.name];
}

function isThis(param: ParamPattern): boolean {
  return param.type === "Identifier" && param.name === "this";
}

/** `test`, `test.skip`, `t.test` and their like. */
function testCallee(callee: Node): { name: string; skipped: boolean } | undefined {
  if (callee.type === "Identifier" && testNames.has(callee.name)) {
    return { name: callee.name, skipped: false };
  }
  if (callee.type !== "MemberExpression" || callee.property.type !== "Identifier") return undefined;
  const property = callee.property.name;
  if (callee.object.type === "Identifier" && testNames.has(callee.object.name)) {
    return { name: callee.object.name, skipped: property === "skip" || property === "todo" };
  }
  return property === "test" ? { name: "test", skipped: false } : undefined;
}

function titleOf(node: Node): string | undefined {
  if (node.type === "Literal" && typeof node.value === "string") return node.value;
  if (node.type !== "TemplateLiteral") return undefined;
  return node.quasis.map((quasi) => quasi.value.cooked ?? "").join("*");
}
