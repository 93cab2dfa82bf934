// Where the interpreter stands in a value, and how it reports what is wrong there.
import { describeNode, describeValue } from "./describe.ts";
import { type Issue, ISSUES_MAX } from "./issue.ts";
import { nearest } from "./nearest.ts";
import { encodePointer } from "./pointer.ts";
import type { SchemaNode } from "./schema-node.ts";
import { childNodes, closure } from "./schema-walk.ts";

/** A place in the value: a list towards the root, so that nothing is built when all is well. */
export interface Place {
  readonly parent: Place | undefined;
  readonly key: string | number;
  readonly depth: number;
  readonly run: Run;
}

/** The place of the whole value. */
export function rootPlace(run: Run): Place {
  return { parent: undefined, key: "", depth: 0, run };
}

/** The place of a property or an item. */
export function placeAt(parent: Place, key: string | number): Place {
  return { parent, key, depth: parent.depth + 1, run: parent.run };
}

/** The same place on a walk that only finds out whether the value is valid. */
export function quietly(place: Place): Place {
  return { ...place, run: { root: place.run.root, issues: undefined, trusting: false, count: 0 } };
}

/** One walk over a value. Without `issues` it only finds out whether there are any. */
export interface Run {
  readonly root: SchemaNode;
  readonly issues: Issue[] | undefined;
  /** The value is trusted: its shape matters, constraints do not. Branches are still chosen. */
  readonly trusting: boolean;
  count: number;
}

/** What is wrong; the rest of the issue follows from the place. */
export interface Fault {
  readonly keyword: string;
  readonly expected: string;
  readonly value: unknown;
}

/** True when going on can tell nothing new. */
export function isDone(run: Run): boolean {
  return run.issues === undefined ? run.count > 0 : run.count >= ISSUES_MAX;
}

/** Reports that the value at the place is not what it must be. */
export function report(place: Place, fault: Fault): void {
  const { run } = place;
  const pointer = counted(place);
  if (pointer === undefined) return;
  const actual = isSecret(run.root, place) ? "a hidden value" : describeValue(fault.value);
  const { keyword, expected } = fault;
  const message = `${subject(pointer)} must be ${expected}, not ${actual}`;
  run.issues?.push({ pointer, keyword, expected, actual, message });
}

/** Reports a required property that is not there; the place is the property's own. */
export function reportMissing(place: Place, node: SchemaNode | undefined): void {
  const { run } = place;
  const pointer = counted(place);
  if (pointer === undefined) return;
  const expected = node === undefined ? "a JSON value" : describeNode(node);
  const message = `${subject(pointer)} is required: ${expected}`;
  run.issues?.push({ pointer, keyword: "required", expected, actual: "nothing", message });
}

/** Reports a property that no schema names; the place is the property's own. */
export function reportUnknown(place: Place): void {
  const { run } = place;
  const pointer = counted(place);
  if (pointer === undefined) return;
  const names = knownNames(run.root, place.parent ?? place);
  const suggestion = nearest(String(place.key), names);
  const expected =
    names.length === 0 ? "no property at all" : `one of the properties ${names.join(", ")}`;
  const hint = suggestion === undefined ? "" : `; did you mean "${suggestion}"?`;
  run.issues?.push({
    pointer,
    keyword: "additionalProperties",
    expected,
    actual: `the property "${String(place.key).slice(0, 64)}"`,
    ...(suggestion === undefined ? {} : { suggestion }),
    message: `${subject(pointer)} is not a known property${hint}`,
  });
}

/** The pointer of a place that may still be reported, else `undefined`. */
function counted(place: Place): string | undefined {
  const { run } = place;
  run.count += 1;
  if (run.issues === undefined || run.count > ISSUES_MAX) return undefined;
  return encodePointer(pathOf(place));
}

function subject(pointer: string): string {
  return pointer === "" ? "the value" : pointer;
}

function pathOf(place: Place): (string | number)[] {
  const path: (string | number)[] = [];
  for (let at: Place = place; at.parent !== undefined; at = at.parent) path.unshift(at.key);
  return path;
}

/** True when any schema on the way to the place hides its value. */
function isSecret(root: SchemaNode, place: Place): boolean {
  let nodes = closure([root]);
  if (nodes.some((node) => node.secret)) return true;
  for (const key of pathOf(place)) {
    nodes = closure(nodes.flatMap((node) => childNodes(node, key)));
    if (nodes.some((node) => node.secret)) return true;
  }
  return false;
}

function knownNames(root: SchemaNode, place: Place): string[] {
  let nodes = closure([root]);
  for (const key of pathOf(place)) nodes = closure(nodes.flatMap((node) => childNodes(node, key)));
  const names = nodes.flatMap((node) => node.object?.properties.map(({ name }) => name) ?? []);
  return [...new Set(names)];
}
