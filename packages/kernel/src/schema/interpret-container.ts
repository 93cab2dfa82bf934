// The interpreter's checks and copies of objects and arrays.
import { describeNode, describeRange } from "./describe.ts";
import {
  copyJson,
  countProperties,
  isUnique,
  putProperty,
  readProperty,
  UNDESCRIBED,
} from "./json-value.ts";
import { mergeCopies } from "./merged-copy.ts";
import {
  isDone,
  type Place,
  placeAt,
  quietly,
  report,
  reportMissing,
  reportUnknown,
} from "./run-issues.ts";
import type { ObjectRules, PropertyDefault, SchemaNode } from "./schema-node.ts";

type Fields = Record<string, unknown>;

/** How the walk goes deeper; handed in, because the walk itself stands on this file. */
export interface Walker {
  /** The copy of the value at the place by this node. */
  readonly evaluate: (node: SchemaNode, value: unknown, place: Place) => unknown;
  /** The completed default of a property of this node. */
  readonly complete: (node: SchemaNode, fill: PropertyDefault) => unknown;
}

interface Walk {
  readonly place: Place;
  readonly walker: Walker;
}

/** Checks an object by its own rules; its copy, or `UNDESCRIBED`. */
export function evaluateObject(node: SchemaNode, value: Fields, walk: Walk): unknown {
  const rules = node.object;
  if (rules === undefined) return UNDESCRIBED;
  for (const name of rules.requiredOthers) {
    if (readProperty(value, name) === undefined) {
      reportMissing(placeAt(walk.place, name), undefined);
    }
  }
  if (!walk.place.run.trusting) checkObject(rules, value, walk);
  return rules.described ? copyObject(rules, value, walk) : UNDESCRIBED;
}

function checkObject(rules: ObjectRules, value: Fields, walk: Walk): void {
  checkCounts(rules, value, walk);
  for (const { name, needs } of rules.dependentRequired) {
    if (readProperty(value, name) === undefined) continue;
    for (const need of needs) {
      if (readProperty(value, need) !== undefined) continue;
      const known = rules.properties.find((rule) => rule.name === need);
      reportMissing(placeAt(walk.place, need), known?.node);
    }
  }
  if (rules.names !== undefined) checkNames(rules.names, value, walk);
}

function copyObject(rules: ObjectRules, value: Fields, walk: Walk): Fields {
  const { walker } = walk;
  const { run } = walk.place;
  const copy: Fields = {};
  const named = new Set<string>();
  for (const { name, node, required, fill } of rules.properties) {
    if (run.issues === undefined && isDone(run)) return copy;
    named.add(name);
    const place = placeAt(walk.place, name);
    const property = readProperty(value, name);
    if (property !== undefined) putProperty(copy, name, walker.evaluate(node, property, place));
    else if (fill !== undefined) {
      putProperty(copy, name, copyJson(walker.complete(node, fill), 0));
    } else if (required) reportMissing(place, node);
  }
  if (rules.patterns.length === 0 && rules.additional === undefined) return copy;
  for (const name of Object.keys(value)) {
    const property = value[name];
    if (property === undefined) continue;
    if (isDone(run)) return copy;
    copyOther(rules, { name, property, named: named.has(name) }, { copy, walk });
  }
  return copy;
}

interface OtherProperty {
  readonly name: string;
  readonly property: unknown;
  /** Listed in `properties`; patterns hold for it all the same. */
  readonly named: boolean;
}

function copyOther(
  rules: ObjectRules,
  other: OtherProperty,
  target: { readonly copy: Fields; readonly walk: Walk },
): void {
  const { copy, walk } = target;
  const { name, property } = other;
  const place = placeAt(walk.place, name);
  let known = other.named;
  for (const { pattern, node } of rules.patterns) {
    if (!pattern.test(name)) continue;
    const part = walk.walker.evaluate(node, property, place);
    putProperty(copy, name, known ? mergeCopies(readProperty(copy, name), part) : part);
    known = true;
  }
  if (known || rules.additional === undefined) return;
  if (rules.additional.never) {
    // A trusted value is not refused for it; it is left out.
    if (walk.place.run.trusting) return;
    // Kept in the copy, so that strict mode does not report it a second time.
    putProperty(copy, name, UNDESCRIBED);
    reportUnknown(place);
  } else {
    putProperty(copy, name, walk.walker.evaluate(rules.additional, property, place));
  }
}

function checkCounts(rules: ObjectRules, value: Fields, walk: Walk): void {
  const { minProperties, maxProperties } = rules;
  if (minProperties === 0 && maxProperties === Infinity) return;
  const count = countProperties(value);
  if (count >= minProperties && count <= maxProperties) return;
  const range = describeRange(minProperties, maxProperties, "property") ?? "";
  report(walk.place, {
    keyword: count < minProperties ? "minProperties" : "maxProperties",
    expected: `an object with ${range}`,
    value,
  });
}

function checkNames(names: SchemaNode, value: Fields, walk: Walk): void {
  for (const name of Object.keys(value)) {
    if (value[name] === undefined) continue;
    if (isDone(walk.place.run)) return;
    const place = placeAt(walk.place, name);
    if (accepts(names, name, { ...walk, place })) continue;
    const expected = `named by ${describeNode(names)}`;
    report(place, { keyword: "propertyNames", expected, value: name });
  }
}

/** Checks an array by its own rules; its copy, or `UNDESCRIBED`. */
export function evaluateArray(node: SchemaNode, value: readonly unknown[], walk: Walk): unknown {
  const rules = node.array;
  if (rules === undefined) return UNDESCRIBED;
  const { place } = walk;
  if (!place.run.trusting) checkArray(node, value, walk);
  if (!rules.described) return UNDESCRIBED;
  const copy: unknown[] = [];
  for (const [index, item] of value.entries()) {
    if (isDone(place.run)) return copy;
    const itemNode = rules.prefix[index] ?? rules.rest;
    const part = itemNode && walk.walker.evaluate(itemNode, item, placeAt(place, index));
    copy.push(itemNode === undefined ? UNDESCRIBED : part);
  }
  return copy;
}

function checkArray(node: SchemaNode, value: readonly unknown[], walk: Walk): void {
  const rules = node.array;
  if (rules === undefined) return;
  const { place } = walk;
  const fail = (keyword: string, expected: string): void =>
    report(place, { keyword, expected, value });
  if (value.length < rules.minItems) fail("minItems", describeNode(node));
  if (value.length > rules.maxItems) fail("maxItems", describeNode(node));
  if (rules.unique && !isUnique(value)) fail("uniqueItems", "an array without duplicates");
  if (rules.contains !== undefined) {
    const { node: wanted, min, max } = rules.contains;
    const matches = value.filter((item, index) =>
      accepts(wanted, item, { ...walk, place: placeAt(place, index) }),
    );
    if (matches.length < min || matches.length > max) {
      const range = describeRange(min, max, "item") ?? "";
      fail("contains", `an array with ${range} that is ${describeNode(wanted)}`);
    }
  }
}

function accepts(node: SchemaNode, value: unknown, walk: Walk): boolean {
  const place = quietly(walk.place);
  walk.walker.evaluate(node, value, place);
  return place.run.count === 0;
}
