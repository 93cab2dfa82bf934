// Generated code for places that several schemas describe: `allOf`, overlapping `anyOf`, `oneOf`,
// `not`, `if`. A part that may fail without ending the whole is a function of its own.
import { type CodeWriter, depthAt, type ValueAt } from "./code-writer.ts";
import type { Branches, Conditional, SchemaNode } from "./schema-node.ts";

interface PartsAt extends ValueAt {
  /** The variable with the copy by the node's own rules. */
  readonly own: string;
}

/** Writes all parts; answers the variable of the merged copy. */
export function writeParts(writer: CodeWriter, node: SchemaNode, at: PartsAt): string {
  const copy = writer.variable();
  writer.write(`let ${copy} = ${at.own};`);
  for (const part of node.all) {
    writer.write(`${copy} = mergeCopies(${copy}, ${writer.node(part, at)});`);
  }
  if (node.any !== undefined) writeAny(writer, node.any, { ...at, own: copy });
  if (node.one !== undefined) writeOne(writer, node.one, { ...at, own: copy });
  if (node.not !== undefined) writer.failIf(`${call(writer, node.not, at)} !== FAIL`);
  if (node.conditional !== undefined) {
    writeConditional(writer, node.conditional, { ...at, own: copy });
  }
  return copy;
}

function call(writer: CodeWriter, node: SchemaNode, at: ValueAt): string {
  return `${writer.functionName(node, "branch")}(${at.x}, ${depthAt(at.level)})`;
}

/** Every branch that matches describes the value. */
function writeAny(writer: CodeWriter, branches: Branches, at: PartsAt): void {
  const matched = writer.variable();
  writer.write(`let ${matched} = false;`);
  for (const branch of branches.nodes) {
    const container = `typeof ${at.x} === "object" && ${at.x} !== null`;
    // Of a scalar one match says everything.
    writer.write(`if (!${matched} || ${container}) {`);
    const part = writer.define(call(writer, branch, at));
    const merged = `${at.own} = mergeCopies(${at.own}, ${part})`;
    writer.write(`if (${part} !== FAIL) { ${matched} = true; ${merged}; }`);
    writer.write("}");
  }
  writer.failIf(`!${matched}`);
}

function writeOne(writer: CodeWriter, branches: Branches, at: PartsAt): void {
  const matches = writer.variable();
  const match = writer.variable();
  writer.write(`let ${matches} = 0, ${match};`);
  for (const branch of branches.nodes) {
    const part = writer.define(call(writer, branch, at));
    writer.write(`if (${part} !== FAIL) { ${matches}++; ${match} = ${part}; }`);
  }
  writer.failIf(`${matches} !== 1`);
  writer.write(`${at.own} = mergeCopies(${at.own}, ${match});`);
}

function writeConditional(writer: CodeWriter, conditional: Conditional, at: PartsAt): void {
  const { test, whenTrue, whenFalse } = conditional;
  const tested = writer.define(call(writer, test, at));
  writer.write(`if (${tested} !== FAIL) {`);
  writer.write(`${at.own} = mergeCopies(${at.own}, ${tested});`);
  if (whenTrue !== undefined) {
    writer.write(`${at.own} = mergeCopies(${at.own}, ${writer.node(whenTrue, at)});`);
  }
  writer.write("} else {");
  if (whenFalse !== undefined) {
    writer.write(`${at.own} = mergeCopies(${at.own}, ${writer.node(whenFalse, at)});`);
  }
  writer.write("}");
}
