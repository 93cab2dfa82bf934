/**
 * Turns any value into JSON that is safe to write: bounded in depth, width and length, without
 * cycles, and without secrets.
 *
 * I1. Never throws, whatever getters and `toJSON` methods do.
 * I2. The result has at most `nodesMax` nodes and `charsMax` characters of text, plus markers.
 * I3. No value under a key that names a secret is read.
 */

export type Loggable = string | number | boolean | null | Loggable[] | LoggableObject;
export interface LoggableObject {
  [key: string]: Loggable;
}

/** What stands in the place of a secret. */
export const secretMark = "[secret]";

const depthMax = 6; // deeper is a dump, not a field
const itemsMax = 100; // of one array, map, set or object
const nodesMax = 1_000; // of one line
const stringMax = 8_192; // characters of one text: a long SQL statement, not a payload
const charsMax = 65_536; // of one line: log collectors cut longer ones anyway
const causesMax = 8; // of one error

/** Keys whose values are secrets, spelt without separators. */
const secretKey =
  /passw(?:or)?d|passphrase|secret|token|authorization|cookie|apikey|privatekey|credential/;
/** Not a secret: how many, how long, how big (`tokenCount`, `tokensMax`). */
const measureKey = /(?:tokens|count|bytes|ms|length|max|min|size|total|limit)$/;
/** The password in a URL, wherever it stands. Bounded, so that a scan takes linear time. */
const urlPassword = /(:\/\/[^\s/?#:@]{0,256}:)[^\s/?#]{0,1024}@/g;

interface Budget {
  nodes: number;
  chars: number;
  /** Objects on the way from the root to here. */
  readonly path: unknown[];
}

/** The fields of one line. A field that is `undefined` is left out. */
export function toLoggableFields(fields: Readonly<Record<string, unknown>>): LoggableObject {
  const budget: Budget = { nodes: nodesMax, chars: charsMax, path: [] };
  return objectOf(fields, budget);
}

/** A sentence: bounded, without passwords of URLs. */
export function toLoggableText(text: string): string {
  if (text.length <= stringMax && !text.includes("://")) return text;
  return textOf(text, { nodes: nodesMax, chars: charsMax, path: [] });
}

/** One value. */
export function toLoggable(value: unknown): Loggable {
  return valueOf(value, { nodes: nodesMax, chars: charsMax, path: [] }) ?? null;
}

function valueOf(value: unknown, budget: Budget): Loggable | undefined {
  budget.nodes -= 1;
  if (budget.nodes < 0) return "[cut]";
  switch (typeof value) {
    case "string":
      return textOf(value, budget);
    case "number":
      return Number.isFinite(value) ? value : String(value);
    case "boolean":
      return value;
    case "undefined":
      return undefined;
    case "bigint":
      return textOf(value.toString(), budget);
    case "symbol":
      return textOf(value.toString(), budget);
    case "function":
      return "[function]";
    case "object":
      return value === null ? null : referenceOf(value, budget);
  }
}

function referenceOf(value: object, budget: Budget): Loggable {
  if (budget.path.includes(value)) return "[circular]";
  if (budget.path.length >= depthMax + causesMax) return "[deep]";
  budget.path.push(value);
  try {
    return contentOf(value, budget);
  } catch {
    // A getter, a proxy or a toJSON threw: the line matters more than this value (I1).
    return "[unreadable]";
  } finally {
    budget.path.pop();
  }
}

function contentOf(value: object, budget: Budget): Loggable {
  if (Error.isError(value)) return errorOf(value, budget);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? "[date]" : value.toISOString();
  if (value instanceof URL) return textOf(value.href, budget);
  if (ArrayBuffer.isView(value)) return `[bytes ${value.byteLength}]`;
  if (value instanceof ArrayBuffer) return `[bytes ${value.byteLength}]`;
  if (value instanceof Promise) return "[promise]";
  const isList = Array.isArray(value) || value instanceof Set;
  if (budget.path.length > depthMax) return isList ? "[array]" : "[object]";
  if (Array.isArray(value)) return listOf(value, value.length, budget);
  if (value instanceof Set) return listOf(value, value.size, budget);
  if (value instanceof Map) return mapOf(value, budget);
  if (hasToJson(value)) return valueOf(value.toJSON(), budget) ?? null;
  // A cast to a bag of unknowns: every value is looked at before use.
  return objectOf(value as Record<string, unknown>, budget);
}

function hasToJson(value: object): value is { toJSON(): unknown } {
  return "toJSON" in value && typeof value.toJSON === "function";
}

function listOf(values: Iterable<unknown>, size: number, budget: Budget): Loggable[] {
  const list: Loggable[] = [];
  for (const value of values) {
    if (list.length === itemsMax || budget.nodes <= 0) {
      list.push(`[${size - list.length} more]`);
      break;
    }
    list.push(valueOf(value, budget) ?? null);
  }
  return list;
}

function mapOf(map: ReadonlyMap<unknown, unknown>, budget: Budget): LoggableObject {
  const entries = [...map].slice(0, itemsMax + 1).map(([key, value]) => [String(key), value]);
  // Built from [string, unknown] pairs on the line above.
  const record = Object.fromEntries(entries) as Record<string, unknown>;
  return objectOf(record, budget, { total: map.size });
}

function objectOf(
  record: Readonly<Record<string, unknown>>,
  budget: Budget,
  options: { readonly keys?: readonly string[]; readonly total?: number } = {},
): LoggableObject {
  const { keys = Object.keys(record) } = options;
  const object: LoggableObject = {};
  let taken = 0;
  for (const key of keys) {
    if (taken === itemsMax || budget.nodes <= 0) {
      put(object, "[more]", (options.total ?? keys.length) - taken);
      break;
    }
    taken += 1;
    const name = textOf(key, budget);
    if (isSecretKey(key)) put(object, name, secretMark);
    else if (isMeasureOfSecret(key)) put(object, name, measureOf(record[key], budget));
    else {
      const value = valueOf(readOf(record, key), budget);
      if (value !== undefined) put(object, name, value);
    }
  }
  return object;
}

/** A number may be told under such a name (`tokenCount: 4`); anything else may not (I3). */
function measureOf(value: unknown, budget: Budget): Loggable {
  return typeof value === "number" ? (valueOf(value, budget) ?? null) : secretMark;
}

function readOf(record: Readonly<Record<string, unknown>>, key: string): unknown {
  try {
    return record[key];
  } catch {
    // One bad getter must not hide the other fields (I1).
    return "[unreadable]";
  }
}

const errorKeysOwn = new Set(["name", "message", "stack", "cause", "code", "errors"]);

function errorOf(error: Error, budget: Budget): Loggable {
  const object: LoggableObject = {};
  object["name"] = textOf(String(error.name), budget);
  const code: unknown = "code" in error ? error.code : undefined;
  if (typeof code === "string" || typeof code === "number") object["code"] = code;
  object["message"] = textOf(String(error.message), budget);
  const more = Object.keys(error).filter((key) => !errorKeysOwn.has(key));
  if (more.length > 0 && budget.path.length <= depthMax) {
    // A cast to a bag of unknowns: `objectOf` looks at every value before use.
    const bag = error as unknown as Record<string, unknown>;
    const own = objectOf(bag, budget, { keys: more });
    for (const [key, value] of Object.entries(own)) put(object, key, value);
  }
  if (typeof error.stack === "string") object["stack"] = textOf(error.stack, budget);
  if (error.cause !== undefined) {
    const causes = budget.path.filter((each) => Error.isError(each)).length;
    object["cause"] = causes >= causesMax ? "[deep]" : (valueOf(error.cause, budget) ?? null);
  }
  if ("errors" in error && Array.isArray(error.errors)) {
    object["errors"] = listOf(error.errors, error.errors.length, budget);
  }
  return object;
}

function textOf(text: string, budget: Budget): string {
  const allowed = Math.max(0, Math.min(stringMax, budget.chars));
  const safe = text.includes("://") ? withoutPasswords(text) : text;
  const kept = safe.length <= allowed ? safe : `${safe.slice(0, allowed)}[${safe.length} chars]`;
  budget.chars -= Math.min(safe.length, allowed);
  return kept;
}

/** Texts far over the bound are cut first, so that one field cannot cost a scan of megabytes. */
function withoutPasswords(text: string): string {
  const head = text.length > 2 * stringMax ? text.slice(0, 2 * stringMax) : text;
  const safe = head.replace(urlPassword, `$1${secretMark}@`);
  return head.length === text.length ? safe : `${safe.slice(0, stringMax)}[${text.length} chars]`;
}

// Keys repeat from line to line: what each is, is worked out once. Bounded, because keys of free
// data may be anything.
const kinds = new Map<string, "plain" | "secret" | "measure">();
const kindsMax = 2_000;

function kindOf(key: string): "plain" | "secret" | "measure" {
  const known = kinds.get(key);
  if (known !== undefined) return known;
  const bare = key
    .slice(0, 256)
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "");
  const plain = !secretKey.test(bare);
  const kind = plain ? "plain" : measureKey.test(bare) ? "measure" : "secret";
  if (kinds.size < kindsMax) kinds.set(key, kind);
  return kind;
}

function isSecretKey(key: string): boolean {
  return kindOf(key) === "secret";
}

function isMeasureOfSecret(key: string): boolean {
  return kindOf(key) === "measure";
}

/**
 * Sets a field, one named `__proto__` like any other. (Objects without a prototype would do too,
 * but they are slow to fill and to write.)
 */
function put(object: LoggableObject, name: string, value: Loggable): void {
  if (name !== "__proto__") object[name] = value;
  else Object.defineProperty(object, name, { value, enumerable: true });
}
