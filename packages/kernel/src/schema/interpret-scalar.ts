// The interpreter's checks of strings, numbers and closed lists of values.
import { describeNode } from "./describe.ts";
import { equalsOne, hasLength, isMultiple } from "./json-value.ts";
import { type Place, report } from "./run-issues.ts";
import type { SchemaNode } from "./schema-node.ts";

/** Checks a value against `enum`, `const` and the rules for strings and numbers. */
export function checkScalar(node: SchemaNode, value: unknown, place: Place): void {
  if (node.values !== undefined) checkValues(node, value, place);
  if (typeof value === "string") checkString(node, value, place);
  else if (typeof value === "number") checkNumber(node, value, place);
}

function checkValues(node: SchemaNode, value: unknown, place: Place): void {
  if (node.values === undefined || equalsOne(value, node.values)) return;
  const keyword = node.values.length === 1 ? "const" : "enum";
  report(place, { keyword, expected: describeNode(node), value });
}

function checkString(node: SchemaNode, value: string, place: Place): void {
  const rules = node.string;
  if (rules === undefined) return;
  const fail = (keyword: string): void =>
    report(place, { keyword, expected: describeNode({ ...node, values: undefined }), value });
  if (!hasLength(value, rules.minLength, rules.maxLength)) {
    fail(hasLength(value, rules.minLength, Infinity) ? "maxLength" : "minLength");
  } else if (rules.pattern !== undefined && !rules.pattern.test(value)) fail("pattern");
  else if (rules.format !== undefined && !rules.format.test(value)) fail("format");
}

function checkNumber(node: SchemaNode, value: number, place: Place): void {
  const rules = node.number;
  if (rules === undefined) return;
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = rules;
  const broken: string[] = [];
  if (minimum !== undefined && value < minimum) broken.push("minimum");
  if (maximum !== undefined && value > maximum) broken.push("maximum");
  if (exclusiveMinimum !== undefined && value <= exclusiveMinimum) broken.push("exclusiveMinimum");
  if (exclusiveMaximum !== undefined && value >= exclusiveMaximum) broken.push("exclusiveMaximum");
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) broken.push("multipleOf");
  const [keyword] = broken;
  if (keyword === undefined) return;
  report(place, { keyword, expected: describeNode({ ...node, values: undefined }), value });
}
