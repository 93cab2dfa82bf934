// Copies of one place made by several schemas: put together, then completed against the value.
import {
  copyJson,
  FAIL,
  isFields,
  isPlainObject,
  putProperty,
  readProperty,
  UNDESCRIBED,
} from "./json-value.ts";
import { DEPTH_MAX } from "./issue.ts";
import { type Place, placeAt, report, reportUnknown } from "./run-issues.ts";

/**
 * One copy out of two of the same value; what either describes is in it. The left one is changed:
 * copies are fresh. `FAIL` stands for "wrong anyway", and wins.
 */
export function mergeCopies(left: unknown, right: unknown): unknown {
  if (left === UNDESCRIBED || right === FAIL) return right;
  if (right === UNDESCRIBED || left === FAIL) return left;
  if (Array.isArray(left) && Array.isArray(right)) {
    for (let index = 0; index < left.length; index++) {
      left[index] = mergeCopies(left[index], right[index]);
    }
  } else if (isFields(left) && isFields(right)) {
    for (const name of Object.keys(right)) {
      const known = Object.hasOwn(left, name);
      putProperty(left, name, known ? mergeCopies(left[name], right[name]) : right[name]);
    }
  }
  return left;
}

/**
 * Completes a merged copy without reporting: what stayed undescribed is copied whole. `FAIL` when
 * that is impossible.
 */
export function finishCopy(value: unknown, copy: unknown, depth: number): unknown {
  if (copy === UNDESCRIBED) return copyJson(value, depth);
  if (Array.isArray(copy)) {
    if (!Array.isArray(value)) return FAIL;
    for (let index = 0; index < copy.length; index++) {
      const item = finishCopy(value[index], copy[index], depth + 1);
      if (item === FAIL) return FAIL;
      copy[index] = item;
    }
    return copy;
  }
  if (!isFields(copy) || !isFields(value)) return copy;
  for (const name of Object.keys(copy)) {
    const property = readProperty(value, name);
    // Filled in from a default: complete already.
    if (property === undefined) continue;
    const finished = finishCopy(property, copy[name], depth + 1);
    if (finished === FAIL) return FAIL;
    putProperty(copy, name, finished);
  }
  return copy;
}

/** The strict form: also `FAIL` when the value has a property that the finished copy lacks. */
export function finishStrictCopy(value: unknown, copy: unknown, depth: number): unknown {
  const finished = finishCopy(value, copy, depth);
  return finished !== FAIL && holdsAll(finished, value) ? finished : FAIL;
}

function holdsAll(copy: unknown, value: unknown): boolean {
  if (Array.isArray(value)) {
    return Array.isArray(copy) && copy.every((item, index) => holdsAll(item, value[index]));
  }
  if (!isFields(value) || !isFields(copy)) return true;
  return Object.keys(value).every((name) => {
    const property = value[name];
    if (property === undefined) return true;
    return Object.hasOwn(copy, name) && holdsAll(copy[name], property);
  });
}

export interface Settling {
  readonly place: Place;
  readonly strict: boolean;
}

/** The same as `finishCopy`, reporting every problem; the interpreter's. */
export function settleCopy(value: unknown, copy: unknown, settling: Settling): unknown {
  if (copy === FAIL) return FAIL;
  if (copy === UNDESCRIBED) return settleWhole(value, settling);
  if (Array.isArray(copy)) {
    if (!Array.isArray(value)) return FAIL;
    return copy.map((item, index) => settleCopy(value[index], item, deeper(settling, index)));
  }
  if (!isFields(copy) || !isFields(value)) return copy;
  for (const name of Object.keys(copy)) {
    const property = readProperty(value, name);
    if (property === undefined) continue;
    putProperty(copy, name, settleCopy(property, copy[name], deeper(settling, name)));
  }
  if (!settling.strict) return copy;
  for (const name of Object.keys(value)) {
    if (value[name] === undefined || Object.hasOwn(copy, name)) continue;
    reportUnknown(placeAt(settling.place, name));
  }
  return copy;
}

function deeper(settling: Settling, key: string | number): Settling {
  return { strict: settling.strict, place: placeAt(settling.place, key) };
}

function settleWhole(value: unknown, settling: Settling): unknown {
  const copy = copyJson(value, settling.place.depth);
  if (copy === FAIL) locateForeign(value, settling);
  return copy;
}

/** Finds what `copyJson` could not copy and reports the first of it. */
function locateForeign(value: unknown, settling: Settling): boolean {
  const { place } = settling;
  const container = typeof value === "object" && value !== null;
  if (container && place.depth > DEPTH_MAX) {
    const expected = `nested at most ${DEPTH_MAX} levels deep`;
    report(place, { keyword: "depth", expected, value });
    return true;
  }
  if (container && copyable(value)) {
    for (const [key, item] of entriesOf(value)) {
      if (locateForeign(item, deeper(settling, key))) return true;
    }
    return false;
  }
  if (copyJson(value, 0) !== FAIL) return false;
  report(place, { keyword: "json", expected: "a JSON value", value });
  return true;
}

/** True for containers that fail only by something inside them. */
function copyable(value: object): boolean {
  return Array.isArray(value) || isPlainObject(value);
}

function entriesOf(value: object): [string | number, unknown][] {
  if (Array.isArray(value)) return value.map((item: unknown, index) => [index, item]);
  return Object.entries(value).filter(([, item]) => item !== undefined);
}
