// The reference: what it means for a value to be valid and what its copy holds. The generated code
// is held against this file by property tests, and every issue is worded here, so the generated
// code only has to know the way that values go when all is well.
//
// The law:
// I1 A value is valid when JSON Schema 2020-12 says so (defaults count as present).
// I2 A place is described by every schema that applies to it: all of `allOf`, every branch of
//    `anyOf` that matches, the branch of `oneOf`, `if` when it holds, `then` or `else`.
// I3 The copy holds the properties that one of those schemas names. Where none of them says which
//    properties there are, the object is copied whole.
// I4 Strict mode refuses what the copy leaves out; tolerant mode leaves it out.
// I5 The copy shares no object with the value or the schema.
import { describeNode } from "./describe.ts";
import { evaluateArray, evaluateObject, type Walker } from "./interpret-container.ts";
import { checkScalar } from "./interpret-scalar.ts";
import { DEPTH_MAX, type Issue, type ParseMode } from "./issue.ts";
import { FAIL, isFields, kindOfValue } from "./json-value.ts";
import { mergeCopies, settleCopy } from "./merged-copy.ts";
import { isDone, type Place, placeAt, quietly, report, rootPlace, type Run } from "./run-issues.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import {
  type Branches,
  isPlain,
  Kind,
  KIND_CONTAINER,
  type PropertyDefault,
  type SchemaNode,
} from "./schema-node.ts";

const WALKER: Walker = { evaluate, complete: completeDefault };

/**
 * Parses by walking the schema: the copy, or `FAIL` with the issues appended. `trusting` is
 * tolerant and checks no constraints.
 */
export function interpret(
  root: SchemaNode,
  value: unknown,
  options: { readonly mode: ParseMode | "trusting"; readonly issues: Issue[] },
): unknown {
  const trusting = options.mode === "trusting";
  const run: Run = { root, issues: options.issues, trusting, count: 0 };
  const place = rootPlace(run);
  const copy = evaluate(root, value, place);
  const settled = settleCopy(value, copy, { place, strict: options.mode === "strict" });
  return run.count > 0 ? FAIL : settled;
}

/**
 * The default of a property, completed by the property's own schema. Throws `SchemaError` when the
 * schema refuses it or when it contains itself.
 */
export function completeDefault(node: SchemaNode, fill: PropertyDefault): unknown {
  if (fill.state === "completed") return fill.completed;
  const refuse = (reason: string): SchemaError =>
    new SchemaError(SchemaErrorCode.defaultInvalid, {
      pointer: `${node.pointer}/default`,
      message: `the default at ${node.pointer} of the schema is not valid: ${reason}`,
    });
  if (fill.state === "busy") throw refuse("completing it needs itself again");
  fill.state = "busy";
  const issues: Issue[] = [];
  fill.completed = interpret(node, fill.value, { mode: "strict", issues });
  if (fill.completed === FAIL) throw refuse(issues[0]?.message ?? "its schema refuses it");
  fill.state = "completed";
  return fill.completed;
}

/**
 * Checks one place and returns its copy, in which `UNDESCRIBED` stands for what this node does not
 * describe. `FAIL` where the value is wrong altogether; what is known of the rest goes on.
 */
function evaluate(node: SchemaNode, value: unknown, place: Place): unknown {
  const kind = kindOfValue(value);
  if (node.never || kind === 0 || (node.kinds & kind) === 0) {
    const keyword = kind === 0 ? "json" : node.never ? "false" : keywordOfKinds(node);
    report(place, { keyword, expected: describeNode(node), value });
    return FAIL;
  }
  if ((kind & KIND_CONTAINER) !== 0 && place.depth > DEPTH_MAX) {
    const expected = `nested at most ${DEPTH_MAX} levels deep`;
    report(place, { keyword: "depth", expected, value });
    return FAIL;
  }
  if (!place.run.trusting) checkScalar(node, value, place);
  let copy: unknown = value;
  if (Array.isArray(value)) copy = evaluateArray(node, value, { place, walker: WALKER });
  else if (isFields(value)) copy = evaluateObject(node, value, { place, walker: WALKER });
  return isPlain(node) ? copy : evaluateParts(node, value, { place, copy });
}

function keywordOfKinds(node: SchemaNode): string {
  if (node.values === undefined) return "type";
  return node.values.length === 1 ? "const" : "enum";
}

interface Parts {
  readonly place: Place;
  readonly copy: unknown;
}

function evaluateParts(node: SchemaNode, value: unknown, parts: Parts): unknown {
  const { place } = parts;
  const { run } = place;
  let { copy } = parts;
  const add = (other: unknown): void => {
    copy = mergeCopies(copy, other);
  };
  for (const part of node.all) {
    if (run.issues === undefined && isDone(run)) return FAIL;
    add(evaluate(part, value, place));
  }
  if (node.any !== undefined) add(evaluateAny(node.any, value, place));
  if (node.one !== undefined) add(evaluateOne(node.one, value, place));
  if (node.not !== undefined && probe(node.not, value, place) !== FAIL) {
    report(place, { keyword: "not", expected: `anything but ${describeNode(node.not)}`, value });
  }
  if (node.conditional !== undefined) {
    const { test, whenTrue, whenFalse } = node.conditional;
    const tested = probe(test, value, place);
    if (tested !== FAIL) add(tested);
    const next = tested === FAIL ? whenFalse : whenTrue;
    if (next !== undefined) add(evaluate(next, value, place));
  }
  return copy;
}

/** The copy when the node accepts the value, else `FAIL`; reports nothing. */
function probe(node: SchemaNode, value: unknown, place: Place): unknown {
  const quiet = quietly(place);
  const copy = evaluate(node, value, quiet);
  return quiet.run.count > 0 ? FAIL : copy;
}

function evaluateAny(branches: Branches, value: unknown, place: Place): unknown {
  if (branches.tag !== undefined) return evaluateTagged(branches, value, place);
  let copy: unknown = FAIL;
  for (const node of branches.nodes) {
    const matched = probe(node, value, place);
    if (matched === FAIL) continue;
    copy = copy === FAIL ? matched : mergeCopies(copy, matched);
    // More branches cannot describe more of a scalar.
    if ((kindOfValue(value) & KIND_CONTAINER) === 0) break;
  }
  return copy === FAIL ? explainUnion(branches, value, { place, keyword: "anyOf" }) : copy;
}

function evaluateOne(branches: Branches, value: unknown, place: Place): unknown {
  if (branches.tag !== undefined) return evaluateTagged(branches, value, place);
  const matches = branches.nodes
    .map((node) => probe(node, value, place))
    .filter((matched) => matched !== FAIL);
  if (matches.length === 1) return matches[0];
  if (matches.length === 0) return explainUnion(branches, value, { place, keyword: "oneOf" });
  const expected = `valid for exactly one of ${branches.nodes.length} schemas`;
  report(place, { keyword: "oneOf", expected: `${expected} (it is for ${matches.length})`, value });
  return FAIL;
}

/** The tag says which branch was meant: its issues are the ones that help. */
function evaluateTagged(branches: Branches, value: unknown, place: Place): unknown {
  const { tag, nodes } = branches;
  if (tag === undefined || !isFields(value)) {
    report(place, { keyword: "type", expected: "an object", value });
    return FAIL;
  }
  const tagValue = Object.hasOwn(value, tag.name) ? value[tag.name] : undefined;
  const meant = tag.byValue.get(tagValue);
  if (meant !== undefined) return evaluate(meant, value, place);
  const shown = [...tag.byValue.keys()].slice(0, 8).map((known) => JSON.stringify(known));
  const more = tag.byValue.size > shown.length ? ", …" : "";
  report(placeAt(place, tag.name), {
    keyword: nodes.length === 1 ? "const" : "enum",
    expected: `one of ${shown.join(", ")}${more}`,
    value: tagValue,
  });
  return FAIL;
}

interface Union {
  readonly place: Place;
  readonly keyword: string;
}

/** No branch matches. When just one has the right kind, its own issues are the clearest. */
function explainUnion(branches: Branches, value: unknown, union: Union): unknown {
  const { place, keyword } = union;
  const { run } = place;
  const kind = kindOfValue(value);
  const close = branches.nodes.filter((node) => !node.never && (node.kinds & kind) !== 0);
  const [only] = close;
  if (run.issues !== undefined && close.length === 1 && only !== undefined) {
    return evaluate(only, value, place);
  }
  const words = new Set((close.length > 0 ? close : branches.nodes).map(describeNode));
  const expected = [...words].slice(0, 8).join(" or ");
  const detail =
    kind === Kind.object && words.size < close.length ? describeShapes(close) : expected;
  report(place, { keyword, expected: detail, value });
  return FAIL;
}

/** Several objects, none of which fits: told apart by what each requires. */
function describeShapes(nodes: readonly SchemaNode[]): string {
  const shapes = nodes.slice(0, 4).map((node) => {
    const names = node.object?.properties.filter((rule) => rule.required).map(({ name }) => name);
    return names === undefined || names.length === 0 ? "an object" : `{${names.join(", ")}}`;
  });
  return `one of the objects ${shapes.join(", ")}`;
}
