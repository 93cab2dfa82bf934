// JSON values at run time: what kind they are, whether two are equal, how they are copied. The
// interpreter and the generated code share these, so both mean the same by "the same value".
import { DEPTH_MAX } from "./issue.ts";
import { Kind } from "./schema-node.ts";

/** The answer of every check that did not pass; no JSON value, so it cannot be confused. */
export const FAIL: unique symbol = Symbol("fail");

/** "No schema here says what this object or array holds": copied whole unless another one does. */
export const UNDESCRIBED: unique symbol = Symbol("undescribed");

type Fields = Record<string, unknown>;

/** The kind of a JSON value as a bit; 0 for what JSON does not know (NaN, undefined, functions). */
export function kindOfValue(value: unknown): number {
  switch (typeof value) {
    case "string":
      return Kind.string;
    case "number":
      if (Number.isInteger(value)) return Kind.integer;
      return Number.isFinite(value) ? Kind.fraction : 0;
    case "boolean":
      return Kind.boolean;
    case "object":
      if (value === null) return Kind.null;
      return Array.isArray(value) ? Kind.array : Kind.object;
    default:
      return 0;
  }
}

/** True for an object that may be read by property name: neither null nor an array. */
export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * A property as JSON sees it. Names that every object inherits (`constructor`, `toString`) are
 * read only when the object has them itself; `undefined` means absent.
 */
export function readProperty(object: Fields, name: string): unknown {
  if (name in Object.prototype && !Object.hasOwn(object, name)) return undefined;
  return object[name];
}

/** Sets a property; `__proto__` becomes a property like any other and never the prototype. */
export function putProperty(object: Fields, name: string, value: unknown): void {
  if (name === "__proto__") {
    Object.defineProperty(object, name, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
  } else {
    object[name] = value;
  }
}

/** How many properties an object has; one that is `undefined` is absent. */
export function countProperties(object: Fields): number {
  let count = 0;
  for (const name of Object.keys(object)) if (object[name] !== undefined) count += 1;
  return count;
}

/** True when the object has a property that is not among the names. */
export function hasOthers(object: Fields, names: ReadonlySet<string>): boolean {
  for (const name of Object.keys(object)) {
    if (!names.has(name) && object[name] !== undefined) return true;
  }
  return false;
}

/**
 * A deep copy of any JSON value, or `FAIL` for what is no JSON (functions, dates, class instances,
 * NaN) or is nested too deep. Properties that are `undefined` are left out.
 */
export function copyJson(value: unknown, depth: number): unknown {
  if (typeof value !== "object" || value === null) {
    return value === null || kindOfValue(value) !== 0 ? value : FAIL;
  }
  if (depth > DEPTH_MAX) return FAIL;
  if (Array.isArray(value)) {
    const source: readonly unknown[] = value;
    const items: unknown[] = [];
    for (const item of source) {
      const copy = copyJson(item, depth + 1);
      if (copy === FAIL) return FAIL;
      items.push(copy);
    }
    return items;
  }
  if (!isPlainObject(value)) return FAIL;
  const object: Fields = {};
  for (const name of Object.keys(value)) {
    const property = value[name];
    if (property === undefined) continue;
    const copy = copyJson(property, depth + 1);
    if (copy === FAIL) return FAIL;
    putProperty(object, name, copy);
  }
  return object;
}

/** True for objects written as data: not a date, a map, a class instance. */
export function isPlainObject(value: object): value is Fields {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return true;
  // Data from another realm (a vm context) has that realm's Object.prototype.
  return Object.getPrototypeOf(prototype) === null;
}

/** Equality of JSON values: numbers by value, objects without regard to order. */
export function equalJson(left: unknown, right: unknown): boolean {
  if (left === right) return true;
  if (Array.isArray(left)) {
    if (!Array.isArray(right) || left.length !== right.length) return false;
    return left.every((item, index) => equalJson(item, right[index]));
  }
  if (!isFields(left) || !isFields(right)) return false;
  if (countProperties(left) !== countProperties(right)) return false;
  return Object.keys(left).every((name) => {
    const value = left[name];
    return value === undefined || equalJson(value, readProperty(right, name));
  });
}

/** True when one of the values is equal. */
export function equalsOne(value: unknown, values: readonly unknown[]): boolean {
  return values.some((candidate) => equalJson(candidate, value));
}

/** True when no two items are equal. Compares by text, so a long list costs only its size. */
export function isUnique(items: readonly unknown[]): boolean {
  const seen = new Set<unknown>();
  for (const item of items) {
    const key = typeof item === "object" && item !== null ? itemKey(item, 0) : item;
    // A text of the list itself must not be taken for the key of an object.
    const unique = typeof item === "string" ? `"${item}` : key;
    if (seen.has(unique)) return false;
    seen.add(unique);
  }
  return true;
}

/** A text that is the same for equal values: properties sorted by name. */
function itemKey(value: unknown, depth: number): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "";
  // Deeper values are refused anyway, wherever they are copied.
  if (depth > DEPTH_MAX) return "";
  if (Array.isArray(value)) return `[${value.map((item) => itemKey(item, depth + 1)).join()}]`;
  if (!isFields(value)) return "";
  const names = Object.keys(value).filter((name) => value[name] !== undefined);
  const parts = names
    .toSorted()
    .map((name) => `${JSON.stringify(name)}:${itemKey(value[name], depth + 1)}`);
  return `{${parts.join()}}`;
}

/** The length in code points: what `minLength` and `maxLength` count. */
export function codePoints(text: string): number {
  let count = text.length;
  for (let index = 0; index < text.length - 1; index++) {
    const unit = text.charCodeAt(index);
    if (unit < 0xd800 || unit > 0xdbff) continue;
    const next = text.charCodeAt(index + 1);
    if (next < 0xdc00 || next > 0xdfff) continue;
    count -= 1;
    index += 1;
  }
  return count;
}

/** True when the text has `min` to `max` code points; counts only where the length can mislead. */
export function hasLength(text: string, min: number, max: number): boolean {
  const units = text.length;
  if (units < min || units > max * 2) return false;
  if (units <= max && units >= min * 2 - 1) return true;
  const points = codePoints(text);
  return points >= min && points <= max;
}

/**
 * True when the number is a whole multiple, as decimals go: 0.3 is a multiple of 0.1. Both are
 * scaled to integers by their decimal digits and divided exactly.
 */
export function isMultiple(value: number, of: number): boolean {
  if (Number.isInteger(value) && Number.isInteger(of)) {
    return Number.isSafeInteger(value) && Number.isSafeInteger(of)
      ? value % of === 0
      : BigInt(value) % BigInt(of) === 0n;
  }
  const left = decimal(value);
  const right = decimal(of);
  // 10^exponent of a double is at most 2 × 324 digits: exact and bounded.
  const exponent = Math.min(left.exponent, right.exponent);
  const scaled = left.digits * 10n ** BigInt(left.exponent - exponent);
  return scaled % (right.digits * 10n ** BigInt(right.exponent - exponent)) === 0n;
}

/** A number as digits × 10^exponent, by its shortest decimal text. */
function decimal(value: number): { digits: bigint; exponent: number } {
  const [mantissa = "0", power = "0"] = String(value).toLowerCase().split("e");
  const [whole = "0", fraction = ""] = mantissa.split(".");
  return { digits: BigInt(whole + fraction), exponent: Number(power) - fraction.length };
}
