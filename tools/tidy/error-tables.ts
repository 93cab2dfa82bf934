/**
 * Reads error tables from a syntax tree: `defineErrors({ CODE: { kind, summary, http? } })`, and
 * the same table as the `errors` of a contract.
 */

import type { CallExpression, Node, ObjectProperty } from "oxc-parser";

export interface ErrorTableFact {
  readonly code: string;
  readonly kind: string | undefined;
  readonly summary: string | undefined;
  readonly http: number | undefined;
  readonly line: number;
}

export function readErrorTables(
  call: CallExpression,
  lineOf: (offset: number) => number,
): ErrorTableFact[] {
  const table = tableOf(call);
  return propertiesOf(table).map((entry) => {
    const fields = new Map(propertiesOf(entry.value).map((field) => [nameOf(field), field.value]));
    return {
      code: nameOf(entry),
      kind: kindOf(fields.get("kind")),
      summary: textOf(fields.get("summary")),
      http: numberOf(fields.get("http")),
      line: lineOf(entry.start),
    };
  });
}

function tableOf({ callee, arguments: [first, second] }: CallExpression): Node | undefined {
  if (callee.type !== "Identifier") return undefined;
  if (callee.name === "defineErrors") return first;
  if (callee.name !== "defineContract") return undefined;
  return propertiesOf(second).find((property) => nameOf(property) === "errors")?.value;
}

function propertiesOf(node: Node | undefined): ObjectProperty[] {
  if (node?.type !== "ObjectExpression") return [];
  return node.properties.filter((property) => property.type === "Property");
}

function nameOf({ key }: ObjectProperty): string {
  if (key.type === "Identifier") return key.name;
  return key.type === "Literal" ? String(key.value) : "?";
}

/** `"not_found"` as it stands; `ErrorKind.NotFound` as the same word. */
function kindOf(node: Node | undefined): string | undefined {
  if (node?.type === "MemberExpression" && node.property.type === "Identifier") {
    return node.property.name.replace(/(?!^)[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
  }
  return textOf(node);
}

/** A string, a template without holes, or a sum of such. */
function textOf(node: Node | undefined): string | undefined {
  if (node?.type === "Literal" && typeof node.value === "string") return node.value;
  if (node?.type === "TemplateLiteral" && node.expressions.length === 0) {
    return node.quasis[0]?.value.cooked ?? undefined;
  }
  if (node?.type !== "BinaryExpression" || node.operator !== "+") return undefined;
  const left = textOf(node.left);
  const right = textOf(node.right);
  return left === undefined || right === undefined ? undefined : left + right;
}

function numberOf(node: Node | undefined): number | undefined {
  return node?.type === "Literal" && typeof node.value === "number" ? node.value : undefined;
}
