// Generated checks and copies of objects and arrays.
import { isScalar } from "./code-plan.ts";
import { type CodeWriter, depthAt, literal, type ValueAt } from "./code-writer.ts";
import type { ArrayRules, ObjectRules, PropertyRule, SchemaNode } from "./schema-node.ts";

/** Writes the rules and the copy of an object that is known to be one. */
export function writeObject(writer: CodeWriter, node: SchemaNode, at: ValueAt): string {
  const rules = node.object;
  if (rules === undefined) return writeWhole(writer, at);
  for (const name of rules.requiredOthers) writer.failIf(`${property(at.x, name)} === undefined`);
  if (writer.checks) writeObjectChecks(writer, rules, at);
  if (!rules.described) return writeWhole(writer, at);
  const open = rules.patterns.length > 0 || rules.additional?.never === false;
  const named = writeProperties(writer, rules, { ...at, counts: !open });
  return open ? writeOthers(writer, rules, { ...at, copy: named }) : named;
}

/** Nothing is said about what is inside. */
function writeWhole(writer: CodeWriter, at: ValueAt): string {
  if (writer.flavour === "branch") return "UNDESCRIBED";
  const copy = writer.define(`copyJson(${at.x}, ${depthAt(at.level)})`);
  writer.failIf(`${copy} === FAIL`);
  return copy;
}

function writeObjectChecks(writer: CodeWriter, rules: ObjectRules, at: ValueAt): void {
  const { minProperties, maxProperties, dependentRequired, names } = rules;
  if (minProperties > 0 || maxProperties < Infinity) {
    const count = writer.define(`countProperties(${at.x})`);
    if (minProperties > 0) writer.failIf(`${count} < ${minProperties}`);
    if (maxProperties < Infinity) writer.failIf(`${count} > ${maxProperties}`);
  }
  for (const { name, needs } of dependentRequired) {
    const lacking = needs.map((need) => `${property(at.x, need)} === undefined`).join(" || ");
    if (lacking === "") continue;
    writer.failIf(`${property(at.x, name)} !== undefined && (${lacking})`);
  }
  if (names !== undefined) {
    const test = writer.functionName(names, "branch");
    const name = writer.variable();
    const skip = `${at.x}[${name}] !== undefined && `;
    writer.write(`for (const ${name} of Object.keys(${at.x}))`);
    writer.failIf(`${skip}${test}(${name}, ${depthAt(at.level + 1)}) === FAIL`);
  }
}

/** A property read as JSON sees it; the usual name is a plain read. */
function property(x: string, name: string): string {
  return name in Object.prototype
    ? `readProperty(${x}, ${literal(name)})`
    : `${x}[${literal(name)}]`;
}

interface NamedAt extends ValueAt {
  /** Nothing but these properties is allowed, or (tolerant) looked at. */
  readonly counts: boolean;
}

/** Writes the copy of the listed properties; answers the variable of the new object. */
function writeProperties(writer: CodeWriter, rules: ObjectRules, at: NamedAt): string {
  const object = writer.variable();
  const always: string[] = [];
  const sometimes: string[] = [];
  const present: string[] = [];
  let count = 0;
  for (const rule of rules.properties) {
    const x = writer.define(property(at.x, rule.name));
    const copy = writeProperty(writer, rule, { x, level: at.level + 1 });
    // In a literal a computed "__proto__" is a property; the plain one would set the prototype.
    const key = rule.name === "__proto__" ? `["__proto__"]` : literal(rule.name);
    if (rule.required || rule.fill !== undefined) always.push(`${key}: ${copy}`);
    else if (rule.name === "__proto__") {
      sometimes.push(`if (${x} !== undefined) putProperty(${object}, "__proto__", ${copy});`);
    } else sometimes.push(`if (${x} !== undefined) ${object}[${key}] = ${copy};`);
    if (rule.required && rule.fill === undefined) count += 1;
    else present.push(x);
  }
  const refusesOthers = writer.flavour === "strict" || (writer.checks && rules.additional?.never);
  if (at.counts && refusesOthers === true) {
    const names = new Set(rules.properties.map(({ name }) => name));
    const left = writer.variable();
    // Counting is faster than looking every name up; only a wrong count is looked into.
    writer.write(`let ${left} = ${count};`);
    for (const x of present) writer.write(`if (${x} !== undefined) ${left}++;`);
    writer.write(`for (const _ in ${at.x}) ${left}--;`);
    writer.failIf(`${left} !== 0 && hasOthers(${at.x}, ${writer.constant(names)})`);
  }
  writer.write(`const ${object} = { ${always.join(", ")} };`);
  for (const line of sometimes) writer.write(line);
  return object;
}

/** The copy of one listed property; `undefined` at run time when an optional one is absent. */
function writeProperty(writer: CodeWriter, rule: PropertyRule, at: ValueAt): string {
  if (rule.required && rule.fill === undefined) {
    writer.failIf(`${at.x} === undefined`);
    return writer.node(rule.node, at);
  }
  const copy = writer.variable();
  writer.write(`let ${copy};`);
  writer.write(`if (${at.x} !== undefined) {`);
  writer.write(`${copy} = ${writer.node(rule.node, at)};`);
  writer.write("}");
  if (rule.fill !== undefined) {
    const value = rule.fill.completed;
    const fresh = isScalar(value) ? literal(value) : `copyJson(${writer.constant(value)}, 0)`;
    writer.write(`else ${copy} = ${fresh};`);
  }
  return copy;
}

interface OthersAt extends ValueAt {
  /** The variable of the new object. */
  readonly copy: string;
}

/** Writes the loop over properties that patterns or `additionalProperties` describe. */
function writeOthers(writer: CodeWriter, rules: ObjectRules, at: OthersAt): string {
  const { patterns, additional, properties } = rules;
  const name = writer.variable();
  const known = writer.variable();
  writer.write(`for (const ${name} of Object.keys(${at.x})) {`);
  const x = writer.define(`${at.x}[${name}]`);
  writer.write(`if (${x} === undefined) continue;`);
  const names = new Set(properties.map((rule) => rule.name));
  const listed = names.size === 0 ? "false" : `${writer.constant(names)}.has(${name})`;
  writer.write(`let ${known} = ${listed};`);
  const inner = { x, level: at.level + 1 };
  for (const { pattern, node } of patterns) {
    writer.write(`if (${writer.constant(pattern)}.test(${name})) {`);
    const part = writer.node(node, inner);
    const before = `readProperty(${at.copy}, ${name})`;
    const merged = `${known} ? mergeCopies(${before}, ${part}) : ${part}`;
    writer.write(`putProperty(${at.copy}, ${name}, ${merged});`);
    writer.write(`${known} = true; }`);
  }
  if (additional === undefined) {
    if (writer.flavour === "strict") writer.failIf(`!${known}`);
  } else {
    writer.write(`if (!${known}) {`);
    if (!additional.never) {
      writer.write(`putProperty(${at.copy}, ${name}, ${writer.node(additional, inner)});`);
    } else if (writer.checks) writer.write("return FAIL;");
    writer.write("}");
  }
  writer.write("}");
  return at.copy;
}

/** Writes the rules and the copy of an array that is known to be one. */
export function writeArray(writer: CodeWriter, node: SchemaNode, at: ValueAt): string {
  const rules = node.array;
  if (rules === undefined) return writeWhole(writer, at);
  if (writer.checks) writeArrayChecks(writer, rules, at);
  if (!rules.described) return writeWhole(writer, at);
  const copy = writer.define("[]");
  for (const [index, part] of rules.prefix.entries()) {
    writer.write(`if (${at.x}.length > ${index}) {`);
    const x = writer.define(`${at.x}[${index}]`);
    writer.write(`${copy}.push(${writer.node(part, { x, level: at.level + 1 })});`);
    writer.write("}");
  }
  const index = writer.variable();
  const start = rules.prefix.length;
  if (rules.rest?.never === true) {
    writer.failIf(`${at.x}.length > ${start}`);
    return copy;
  }
  writer.write(`for (let ${index} = ${start}; ${index} < ${at.x}.length; ${index}++) {`);
  const x = writer.define(`${at.x}[${index}]`);
  const inner = { x, level: at.level + 1 };
  writer.write(`${copy}.push(${writeItem(writer, rules, inner)});`);
  writer.write("}");
  return copy;
}

function writeItem(writer: CodeWriter, rules: ArrayRules, at: ValueAt): string {
  return rules.rest === undefined ? writeWhole(writer, at) : writer.node(rules.rest, at);
}

function writeArrayChecks(writer: CodeWriter, rules: ArrayRules, at: ValueAt): void {
  const { minItems, maxItems, unique, contains } = rules;
  if (minItems > 0) writer.failIf(`${at.x}.length < ${minItems}`);
  if (maxItems < Infinity) writer.failIf(`${at.x}.length > ${maxItems}`);
  if (unique) writer.failIf(`!isUnique(${at.x})`);
  if (contains === undefined) return;
  const test = writer.functionName(contains.node, "branch");
  const count = writer.variable();
  const item = writer.variable();
  writer.write(`let ${count} = 0;`);
  writer.write(`for (const ${item} of ${at.x})`);
  writer.write(`if (${test}(${item}, ${depthAt(at.level + 1)}) !== FAIL) ${count}++;`);
  if (contains.min > 0) writer.failIf(`${count} < ${contains.min}`);
  if (contains.max < Infinity) writer.failIf(`${count} > ${contains.max}`);
}
