/**
 * What every engine can keep: JSON data whose text is Unicode without U+0000 and lone surrogates.
 *
 * Databases differ exactly here (PostgreSQL refuses U+0000, SQLite cuts at it in some functions,
 * a JSON encoder turns a lone surrogate into an escape that others read as U+FFFD, and -0 comes
 * back as 0), so what they would not agree on is refused or normalised before any of them sees it.
 */

import type { Issue } from "@banyan/kernel";
import { isStorableText } from "./storable-text.ts";

export interface StoredValue {
  /** The value, normalised as JSON would: no -0, no property that is `undefined`. */
  readonly value: unknown;
  /** Size of its JSON, never too small; exact where it is near the limit. */
  readonly bytes: number;
  /** Why it cannot be stored; the first thing found. */
  readonly issue: Issue | undefined;
}

/**
 * Measures and checks a fresh copy. One walk without allocation: this runs on every write.
 * @param bytesMax from where on the size must be exact.
 */
export function examineValue(value: unknown, bytesMax: number): StoredValue {
  const examination = new Examination();
  examination.visit(value);
  if (examination.flawed) return { value, bytes: 0, issue: findIssue(value, "") };
  const { bytes, unlikeJson } = examination;
  if (!unlikeJson && bytes <= bytesMax) return { value, bytes, issue: undefined };
  const text = JSON.stringify(value);
  return {
    value: unlikeJson ? parseJson(text) : value,
    bytes: Buffer.byteLength(text),
    issue: undefined,
  };
}

class Examination {
  /** An upper bound of the JSON's size: six bytes a unit (`\u001f`), 25 a number. */
  bytes = 0;
  flawed = false;
  unlikeJson = false;

  visit(value: unknown): void {
    switch (typeof value) {
      case "string":
        this.bytes += value.length * 6 + 3;
        if (!isStorableText(value)) this.flawed = true;
        return;
      case "number":
        this.bytes += 25;
        if (!Number.isFinite(value)) this.flawed = true;
        else if (value === 0 && Object.is(value, -0)) this.unlikeJson = true;
        return;
      case "boolean":
        this.bytes += 6;
        return;
      case "object":
        this.#visitObject(value);
        return;
      default:
        this.flawed = true;
    }
  }

  #visitObject(value: object | null): void {
    this.bytes += 5;
    if (value === null) return;
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item);
      return;
    }
    if (!isPlain(value)) {
      this.flawed = true;
      return;
    }
    // Not Object.entries, which would make a list of lists of every object that is written.
    const members = value as Readonly<Record<string, unknown>>; // a plain object is just that
    for (const name in members) {
      const member = members[name];
      if (member === undefined) {
        this.unlikeJson = true;
        continue;
      }
      this.bytes += name.length * 6 + 4;
      if (!isStorableText(name)) this.flawed = true;
      this.visit(member);
    }
  }
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function parseJson(text: string): unknown {
  return JSON.parse(text);
}

/** The slow walk, after the fast one found that something is wrong. */
function findIssue(value: unknown, pointer: string): Issue | undefined {
  if (typeof value === "string") return textIssue(value, pointer);
  if (typeof value === "number") {
    return Number.isFinite(value) ? undefined : issueAt(pointer, "a finite number", String(value));
  }
  if (value === null || typeof value === "boolean") return undefined;
  if (typeof value !== "object" || (!Array.isArray(value) && !isPlain(value))) {
    const actual = typeof value === "object" ? "an object of a class" : typeof value;
    return issueAt(pointer, "JSON data", actual);
  }
  for (const [name, member] of Object.entries(value)) {
    const place = `${pointer}/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const issue = textIssue(name, place) ?? findMemberIssue(value, member, place);
    if (issue !== undefined) return issue;
  }
  return undefined;
}

function findMemberIssue(owner: object, member: unknown, place: string): Issue | undefined {
  // An absent property is left out, as JSON does; a hole in an array is not data.
  return member === undefined && !Array.isArray(owner) ? undefined : findIssue(member, place);
}

function textIssue(text: string, pointer: string): Issue | undefined {
  if (isStorableText(text)) return undefined;
  const actual = text.includes("\0") ? "text with U+0000" : "text with a lone surrogate";
  return issueAt(pointer, "text without U+0000 and lone surrogates", actual);
}

function issueAt(pointer: string, expected: string, actual: string): Issue {
  const where = pointer === "" ? "The value" : pointer;
  return {
    pointer,
    keyword: "json",
    expected,
    actual,
    message: `${where} must be ${expected}, not ${actual}.`,
  };
}
