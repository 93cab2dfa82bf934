// Generated checks of strings and numbers.
import type { CodeWriter } from "./code-writer.ts";
import type { NumberRules, StringRules } from "./schema-node.ts";

/** Writes the checks of a string that is known to be one. */
export function writeString(writer: CodeWriter, rules: StringRules | undefined, x: string): void {
  if (rules === undefined) return;
  const { minLength, maxLength, pattern, format } = rules;
  if (minLength > 0 || maxLength < Infinity) {
    // Most texts are settled by their length in code units; only the others are counted.
    const fits: string[] = [];
    if (minLength > 0) fits.push(`${x}.length >= ${minLength * 2 - 1}`);
    if (maxLength < Infinity) fits.push(`${x}.length <= ${maxLength}`);
    writer.failIf(`!(${fits.join(" && ")}) && !hasLength(${x}, ${minLength}, ${maxLength})`);
  }
  if (pattern !== undefined) writer.failIf(`!${writer.constant(pattern)}.test(${x})`);
  if (format !== undefined) writer.failIf(`!${writer.constant(format)}.test(${x})`);
}

/** Writes the checks of a number that is known to be one. */
export function writeNumber(writer: CodeWriter, rules: NumberRules | undefined, x: string): void {
  if (rules === undefined) return;
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum, multipleOf } = rules;
  if (minimum !== undefined) writer.failIf(`${x} < ${minimum}`);
  if (maximum !== undefined) writer.failIf(`${x} > ${maximum}`);
  if (exclusiveMinimum !== undefined) writer.failIf(`${x} <= ${exclusiveMinimum}`);
  if (exclusiveMaximum !== undefined) writer.failIf(`${x} >= ${exclusiveMaximum}`);
  if (multipleOf !== undefined) writer.failIf(`!isMultiple(${x}, ${multipleOf})`);
}
