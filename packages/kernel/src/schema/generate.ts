// Schema nodes → JavaScript that validates and copies in one pass. It only knows how values go
// through; at the first problem it answers `FAIL`, and the interpreter says what the problem is.
import {
  type Dispatch,
  dispatchOf,
  flatten,
  hasNoRules,
  isScalar,
  isStraight,
} from "./code-plan.ts";
import { CodeWriter, depthAt, type Flavour, literal } from "./code-writer.ts";
import type { Program, ValueAt } from "./code-writer.ts";
import { writeArray, writeObject } from "./generate-container.ts";
import { writeParts } from "./generate-parts.ts";
import { writeNumber, writeString } from "./generate-scalar.ts";
import { GENERATED_RUNTIME } from "./generated-runtime.ts";
import { DEPTH_MAX } from "./issue.ts";
import { KIND_ANY, KIND_CONTAINER, KIND_NUMBER, Kind, type SchemaNode } from "./schema-node.ts";

/** Answers a finished copy, or `FAIL`. */
export type GeneratedParser = (value: unknown, depth: number) => unknown;

/** What a caller can ask for. */
export type GeneratedFlavour = Exclude<Flavour, "branch">;

/** The parser of one flavour. Throws `EvalError` where Node forbids to generate code. */
export function generateParser(root: SchemaNode, flavour: GeneratedFlavour): GeneratedParser {
  const { source, constants } = generateSource(root, flavour);
  // The one place where text becomes code; code-writer.ts says what may be in the text. The cast
  // is safe: the source ends by returning the function of the root.
  // oxlint-disable-next-line no-new-func, typescript/no-implied-eval -- this is a generator
  const build = new Function("K", "R", source) as BuildParser;
  return build(constants, GENERATED_RUNTIME);
}

type BuildParser = (
  constants: readonly unknown[],
  runtime: typeof GENERATED_RUNTIME,
) => GeneratedParser;

/** The program as text, and the constants it refers to. */
export function generateSource(
  root: SchemaNode,
  flavour: GeneratedFlavour,
): { readonly source: string; readonly constants: readonly unknown[] } {
  const program: Program = {
    constants: [],
    pending: new Map(),
    names: new Set(),
    writeNode,
  };
  const start = new CodeWriter(program, flavour);
  start.write("const x = value, d = depth;");
  const result = writeNode(start, root, { x: "x", level: 0 });
  const entry = `return function parse(value, depth) {\n${start.lines.join("\n")}\nreturn ${result};\n};`;
  const functions: string[] = [];
  for (const [name, { node, flavour: wanted }] of program.pending) {
    program.pending.delete(name);
    functions.push(writeFunction(program, name, { node, flavour: wanted }));
  }
  const names = Object.keys(GENERATED_RUNTIME).join(", ");
  const source = `"use strict";\nconst { ${names} } = R;\n${functions.join("\n")}\n${entry}`;
  return { source, constants: program.constants };
}

function writeFunction(
  program: Program,
  name: string,
  what: { readonly node: SchemaNode; readonly flavour: Flavour },
): string {
  const writer = new CodeWriter(program, what.flavour);
  const at = { x: "x", level: 0 };
  const node = flatten(what.node);
  const result = isStraight(node) ? writeStraight(writer, node, at) : writeMerged(writer, node, at);
  return `function ${name}(x, d) {\n${writer.lines.join("\n")}\nreturn ${result};\n}`;
}

function writeNode(writer: CodeWriter, unplanned: SchemaNode, at: ValueAt): string {
  const node = flatten(unplanned);
  const straight = isStraight(node);
  if (straight && !node.shared) return writeStraight(writer, node, at);
  const name = writer.functionName(unplanned, straight ? writer.flavour : "branch");
  const copy = writer.define(`${name}(${at.x}, ${depthAt(at.level)})`);
  writer.failIf(`${copy} === FAIL`);
  if (straight || writer.flavour === "branch") return copy;
  const finish = writer.flavour === "strict" ? "finishStrictCopy" : "finishCopy";
  const finished = writer.define(`${finish}(${at.x}, ${copy}, ${depthAt(at.level)})`);
  writer.failIf(`${finished} === FAIL`);
  return finished;
}

/** Several schemas describe the place: the node's own rules, then every part, merged. */
function writeMerged(writer: CodeWriter, node: SchemaNode, at: ValueAt): string {
  const own = hasNoRules(node)
    ? writer.define(`undescribed(${at.x})`)
    : writer.define(writeOwn(writer, node, at));
  if (hasNoRules(node)) writer.failIf(`${own} === FAIL`);
  return writeParts(writer, node, { ...at, own });
}

/** One schema describes the place. */
function writeStraight(writer: CodeWriter, node: SchemaNode, at: ValueAt): string {
  const dispatch = dispatchOf(node);
  return dispatch === undefined ? writeOwn(writer, node, at) : writeDispatch(writer, dispatch, at);
}

function writeDispatch(writer: CodeWriter, dispatch: Dispatch, at: ValueAt): string {
  const result = writer.variable();
  writer.write(`let ${result};`);
  if (dispatch.by === "kind") {
    for (const branch of dispatch.nodes) {
      writer.write(`if (${kindTest(branch.kinds, at.x)}) {`);
      writer.write(`${result} = ${writer.node(branch, at)};`);
      writer.write("} else");
    }
    writer.write("return FAIL;");
    return result;
  }
  const { tag, nodes } = dispatch;
  writer.failIf(`!isFields(${at.x})`);
  writer.write(`switch (readProperty(${at.x}, ${literal(tag.name)})) {`);
  for (const branch of nodes) {
    for (const [value, node] of tag.byValue) {
      if (node === branch) writer.write(`case ${literal(value)}:`);
    }
    writer.write("{");
    writer.write(`${result} = ${writer.node(branch, at)};`);
    writer.write("break; }");
  }
  writer.write("default: return FAIL; }");
  return result;
}

/** The node's own rules, without its parts. */
function writeOwn(writer: CodeWriter, node: SchemaNode, at: ValueAt): string {
  if (node.never || node.kinds === 0) {
    writer.failIf("true");
    return "FAIL";
  }
  if (hasNoRules(node)) return writeAnything(writer, at);
  if (node.values !== undefined && writer.checks) {
    writer.failIf(valuesTest(writer, node.values, at.x));
    const scalar = node.string === undefined && node.number === undefined;
    if (scalar && node.values.every(isScalar)) return at.x;
  }
  const kinds = kindGroups(node.kinds);
  const [only] = kinds;
  if (only !== undefined && kinds.length === 1) {
    writer.failIf(`!(${kindTest(only, at.x)})`);
    return writeKind(writer, node, { ...at, kind: only });
  }
  const result = writer.variable();
  writer.write(`let ${result};`);
  for (const kind of kinds) {
    writer.write(`if (${kindTest(kind, at.x)}) {`);
    writer.write(`${result} = ${writeKind(writer, node, { ...at, kind })};`);
    writer.write("} else");
  }
  writer.write("return FAIL;");
  return result;
}

function writeAnything(writer: CodeWriter, at: ValueAt): string {
  const branch = writer.flavour === "branch";
  const copy = branch ? `undescribed(${at.x})` : `copyJson(${at.x}, ${depthAt(at.level)})`;
  const result = writer.define(copy);
  writer.failIf(`${result} === FAIL`);
  return result;
}

function writeKind(
  writer: CodeWriter,
  node: SchemaNode,
  at: ValueAt & { readonly kind: number },
): string {
  if ((at.kind & KIND_CONTAINER) !== 0) {
    writer.failIf(`${depthAt(at.level)} > ${DEPTH_MAX}`);
    return at.kind === Kind.object ? writeObject(writer, node, at) : writeArray(writer, node, at);
  }
  if (writer.checks && at.kind === Kind.string) writeString(writer, node.string, at.x);
  if (writer.checks && (at.kind & KIND_NUMBER) !== 0) writeNumber(writer, node.number, at.x);
  return at.x;
}

/** One group per way to test: integers and fractions together are numbers. */
function kindGroups(kinds: number): number[] {
  const groups = [Kind.string, Kind.boolean, Kind.object, Kind.array, Kind.null].filter(
    (kind) => (kinds & kind) !== 0,
  );
  const numbers = kinds & KIND_NUMBER;
  return numbers === 0 ? groups : [...groups, numbers];
}

function kindTest(kinds: number, x: string): string {
  if (kinds === KIND_ANY) return `kindOfValue(${x}) !== 0`;
  return kindGroups(kinds)
    .map((kind) => singleKindTest(kind, x))
    .join(" || ");
}

function singleKindTest(kind: number, x: string): string {
  switch (kind) {
    case Kind.string:
      return `typeof ${x} === "string"`;
    case Kind.boolean:
      return `typeof ${x} === "boolean"`;
    case Kind.null:
      return `${x} === null`;
    case Kind.object:
      return `typeof ${x} === "object" && ${x} !== null && !Array.isArray(${x})`;
    case Kind.array:
      return `Array.isArray(${x})`;
    case Kind.integer:
      return `Number.isInteger(${x})`;
    case Kind.fraction:
      return `Number.isFinite(${x}) && !Number.isInteger(${x})`;
    default:
      return `Number.isFinite(${x})`;
  }
}

const VALUES_INLINE_MAX = 8; // Beyond, a set is as fast and the code stays short.

/** True when the value is none of the list. */
function valuesTest(writer: CodeWriter, values: readonly unknown[], x: string): string {
  if (values.length === 0) return "true";
  if (!values.every(isScalar)) return `!equalsOne(${x}, ${writer.constant(values)})`;
  if (values.length > VALUES_INLINE_MAX) return `!${writer.constant(new Set(values))}.has(${x})`;
  return values.map((value) => `${x} !== ${literal(value)}`).join(" && ");
}
