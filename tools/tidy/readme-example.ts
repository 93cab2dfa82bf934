/**
 * Turns the `//=> value` comments of an example into assertions.
 *
 *     greet("Ada"); //=> "Hello, Ada!"            the value of the expression
 *     const n = await count(); //=> 3             the value of the variable
 *     console.log("ready", 3); //=> ready 3       the printed line
 */

import { parseSync, Visitor } from "oxc-parser";
import type { Node } from "oxc-parser";
import { lineFinder } from "./facts.ts";

const assertsUrl = new URL("./readme-asserts.ts", import.meta.url).href;

/** The code with its assertions, on the same lines as before. */
export function isolate(code: string): string {
  const { program, comments, errors } = parseSync("example.ts", code);
  const [error] = errors;
  if (error !== undefined) return `throw new SyntaxError(${JSON.stringify(error.message)});\n`;
  const lineOf = lineFinder(code);
  const claims = new Map<number, string>();
  for (const { type, value, start } of comments) {
    if (type === "Line" && value.startsWith("=>")) claims.set(lineOf(start), value.slice(2).trim());
  }
  const edits: Edit[] = [];
  const claim = (node: Statement): void => {
    const expected = claims.get(lineOf(node.end));
    if (expected === undefined) return;
    claims.delete(lineOf(node.end));
    edits.push(editFor(code, node, expected));
  };
  new Visitor({ ExpressionStatement: claim, VariableDeclaration: claim }).visit(program);
  const [unclaimed] = claims;
  if (unclaimed !== undefined) {
    const message = `//=> ${unclaimed[1]} stands behind no statement.`;
    return `throw new SyntaxError(${JSON.stringify(message)});\n`;
  }
  const edited = edits
    .sort((a, b) => b.start - a.start)
    .reduce(
      (text, { start, end, insert }) => text.slice(0, start) + insert + text.slice(end),
      code,
    );
  const prelude = `import { is as __is, prints as __prints } from ${JSON.stringify(assertsUrl)}; `;
  return `${prelude}${edited}`;
}

type Statement = Extract<Node, { type: "ExpressionStatement" | "VariableDeclaration" }>;

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly insert: string;
}

function editFor(code: string, node: Statement, expected: string): Edit {
  const claimed = JSON.stringify(expected);
  if (node.type === "VariableDeclaration") {
    const [declared] = node.declarations;
    const name = declared?.id.type === "Identifier" ? declared.id.name : "undefined";
    const insert = `${code.slice(node.start, node.end)} __is(${name}, () => (${expected}), ${claimed});`;
    return { start: node.start, end: node.end, insert };
  }
  const { expression } = node;
  const text = code.slice(expression.start, expression.end);
  const printed = /^console\.log\(([\s\S]*)\)$/.exec(text)?.[1];
  const insert =
    printed === undefined
      ? `__is((${text}), () => (${expected}), ${claimed});`
      : `__prints([${printed}], ${claimed});`;
  return { start: node.start, end: node.end, insert };
}
