/**
 * Keys: 1 … 512 bytes of Unicode text, compared as UTF-8 bytes on every engine.
 *
 * JavaScript's `<` compares UTF-16 units, which puts every character beyond U+FFFF before U+E000;
 * databases that store UTF-8 do not. `compareKeys` is the one order of this house.
 */

import { stateErrors } from "./errors.ts";
import { isStorableText } from "./storable-text.ts";

/** Most bytes a key may have. */
export const KEY_BYTES_MAX = 512; // fits the indexed key of every engine planned

const surrogatesFrom = 0xd800;
const surrogatesPast = 0xe000;
const shownMax = 80;

/** The order of keys: by the bytes of their UTF-8, which is the order of their code points. */
export function compareKeys(a: string, b: string): number {
  const shared = Math.min(a.length, b.length);
  for (let index = 0; index < shared; index += 1) {
    const left = a.charCodeAt(index);
    const right = b.charCodeAt(index);
    if (left !== right) return rank(left) - rank(right);
  }
  return a.length - b.length;
}

/** A UTF-16 unit's place by code point: surrogates stand for what lies beyond U+FFFF. */
function rank(unit: number): number {
  return unit >= surrogatesFrom && unit < surrogatesPast ? unit + 0x10000 : unit;
}

/**
 * The least text greater than everything that begins with `prefix`, or `undefined` where nothing
 * is. With it a prefix is a range of an ordinary index.
 */
export function prefixEnd(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue;
    const next = last + 1 === surrogatesFrom ? surrogatesPast : last + 1;
    return String.fromCodePoint(...points, next);
  }
  return undefined;
}

/** @throws STATE_KEY_INVALID */
export function assertKey(key: string, store: string): void {
  const flaw = key === "" ? "is empty" : flawOf(key);
  if (flaw !== undefined) throw keyError(key, flaw, store);
}

/** The same rules for what bounds a scan, which may be empty. @throws STATE_KEY_INVALID */
export function assertKeyBound(text: string, store: string): void {
  const flaw = flawOf(text);
  if (flaw !== undefined) throw keyError(text, flaw, store);
}

function keyError(key: unknown, flaw: string, store: string): Error {
  return stateErrors.STATE_KEY_INVALID(
    `The key ${showKey(key)} of store ${store} ${flaw}; a key is 1 to ${KEY_BYTES_MAX} bytes of ` +
      `Unicode text without U+0000 and lone surrogates.`,
    { details: { store } },
  );
}

function flawOf(key: unknown): string | undefined {
  if (typeof key !== "string") return `is not text but ${typeof key}`;
  // A unit takes at most three bytes: short keys need no count.
  if (key.length * 3 > KEY_BYTES_MAX) {
    const bytes = key.length > KEY_BYTES_MAX ? key.length : Buffer.byteLength(key);
    if (bytes > KEY_BYTES_MAX) return "is too long";
  }
  if (isStorableText(key)) return undefined;
  return key.includes("\0") ? "contains U+0000" : "contains a lone surrogate";
}

/** A key for a message: quoted, escaped, shortened. */
export function showKey(key: unknown): string {
  if (typeof key !== "string") return String(typeof key);
  return JSON.stringify(key.length > shownMax ? `${key.slice(0, shownMax)}…` : key);
}

/** @throws STATE_STORE_INVALID when a scope or a store's name cannot be used. */
export function assertStoreName(part: "scope" | "name", text: string): void {
  if (text !== "" && flawOf(text) === undefined && Buffer.byteLength(text) <= 128) return;
  throw stateErrors.STATE_STORE_INVALID(
    `A store's ${part} is ${showKey(text)}; it must be 1 to 128 bytes of Unicode text without ` +
      `U+0000 and lone surrogates.`,
  );
}
