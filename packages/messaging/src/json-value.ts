/**
 * JSON values as a bus sees them: copied without going through text, and measured on the way.
 *
 * `measureJson` refuses what JSON text would change or lose in silence (undefined, NaN, dates,
 * class instances), so that a bus in memory and a bus on a wire deliver the same body.
 */

const depthMax = 64;

/** A copy that shares no object with a value known to be JSON. */
export function copyJson(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(copyJson);
  const copy: Record<string, unknown> = {};
  // A JSON object by measureJson: its own enumerable string keys are all there is.
  const source = value as Readonly<Record<string, unknown>>;
  for (const key in source) {
    const item = source[key];
    const copied = typeof item === "object" && item !== null ? copyJson(item) : item;
    if (key === "__proto__") define(copy, key, copied);
    else copy[key] = copied;
  }
  return copy;
}

/** Assigning `__proto__` would change the prototype instead of adding a key. */
function define(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

/** Where a value stops being JSON. */
export interface JsonFlaw {
  /** RFC 6901 pointer. */
  readonly pointer: string;
  readonly found: string;
}

/** About the characters of its JSON text (escapes are not counted), or where it is not JSON. */
export function measureJson(value: unknown, depth = 0): number | JsonFlaw {
  switch (typeof value) {
    case "string":
      return value.length + 2;
    case "number":
      return Number.isFinite(value) ? 8 : flaw(`the number ${value}`);
    case "boolean":
      return 5;
    case "object":
      if (value === null) return 4;
      if (depth >= depthMax) return flaw(`more than ${depthMax} levels, or a loop`);
      return Array.isArray(value) ? measureItems(value, depth) : measureFields(value, depth);
    default:
      return flaw(typeof value);
  }
}

function measureItems(items: readonly unknown[], depth: number): number | JsonFlaw {
  let size = 2;
  for (let index = 0; index < items.length; index += 1) {
    const measured = measureJson(items[index], depth + 1);
    if (typeof measured !== "number") return below(index, measured);
    size += measured + 1;
  }
  return size;
}

function measureFields(value: object, depth: number): number | JsonFlaw {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    const { constructor: maker } = value;
    // A prototype without one, or a field of that name, is a flaw like any other.
    return flaw(`an instance of ${typeof maker === "function" ? maker.name : "something"}`);
  }
  // A plain object by the test above.
  const fields = value as Readonly<Record<string, unknown>>;
  let size = 2;
  for (const key in fields) {
    const measured = measureJson(fields[key], depth + 1);
    if (typeof measured !== "number") return below(key, measured);
    size += key.length + 4 + measured;
  }
  return size;
}

function flaw(found: string): JsonFlaw {
  return { pointer: "", found };
}

function below(key: string | number, inner: JsonFlaw): JsonFlaw {
  const token = String(key).replaceAll("~", "~0").replaceAll("/", "~1");
  return { pointer: `/${token}${inner.pointer}`, found: inner.found };
}
