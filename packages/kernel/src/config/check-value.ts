/**
 * Holds a value against the schema of its leaf and turns what is wrong into problems.
 *
 * This is the only place that puts a configured value into a message, so it is where secrets are
 * kept out: of a leaf that holds a secret anywhere, no part of the value is ever shown.
 */

import { compileSchema } from "../schema/compile.ts";
import type { Issue } from "../schema/issue.ts";
import type { JsonSchemaObject } from "../schema/json-schema.ts";
import { nearest } from "../schema/nearest.ts";
import { parsePointer } from "../schema/pointer.ts";
import { readsAsOther } from "./convert.ts";
import { originText } from "./problems.ts";
import type { ConfigProblem, Origin } from "./problems.ts";
import { followRef } from "./schema-view.ts";
import { dottedName } from "./sections.ts";
import { typeText } from "./type-text.ts";

/** A place with a schema: a leaf, a reserved key, or a whole section. */
export interface CheckedPlace {
  readonly path: readonly string[];
  readonly pointer: string;
  readonly name: string;
  readonly schema: JsonSchemaObject;
  readonly secret: boolean;
  readonly default?: unknown;
  /** Advice that fits every fault here, where setting one value is no cure. */
  readonly fix?: string;
}

/** A fresh valid copy, or the problems. */
export type Checked =
  | { readonly kind: "valid"; readonly value: unknown }
  | { readonly kind: "invalid"; readonly problems: readonly ConfigProblem[] };

/** How much of a value a message shows, in characters. */
const shownMax = 60;

/**
 * Validates strictly and copies. `originAt` gives the place of a pointer into the whole tree, so
 * that a fault deep in a list points at its own line.
 */
export function checkValue(
  place: CheckedPlace,
  value: unknown,
  originAt: (pointer: string) => Origin | undefined,
): Checked {
  const issues: Issue[] = [];
  // Every schema here judges one value per start: walking it is cheaper than generating code.
  const compiled = compileSchema(place.schema, { engine: "interpret" });
  const copy = compiled.parse(value, "strict", issues);
  if (issues.length === 0) return { kind: "valid", value: copy };
  const problems = issues.map((issue) => issueProblem(place, { issue, value, originAt }));
  return { kind: "invalid", problems };
}

/** The problem of text that could not be converted to what the place asks for. */
export function refusedProblem(
  place: CheckedPlace,
  refused: { readonly text: string; readonly expected: string; readonly origin: Origin },
): ConfigProblem {
  const { origin, expected, text } = refused;
  const found = place.secret ? "what it holds (hidden, it is a secret)" : shown(text);
  return {
    pointer: place.pointer,
    origin,
    message: `${originText(origin)}: ${place.name} must be ${expected}, not ${found}.`,
    fix: setFix(place, origin, place.secret ? undefined : meantMember(text, place.schema)),
  };
}

interface Fault {
  readonly issue: Issue;
  readonly value: unknown;
  readonly originAt: (pointer: string) => Origin | undefined;
}

function issueProblem(place: CheckedPlace, { issue, value, originAt }: Fault): ConfigProblem {
  const pointer = place.pointer + issue.pointer;
  const origin = originAt(pointer);
  const lead = origin === undefined ? "" : `${originText(origin)}: `;
  return {
    pointer,
    ...(origin === undefined ? {} : { origin }),
    message: `${lead}${issueText(place, issue)}.`,
    fix: place.fix ?? issueFix(place, { issue, value, origin }),
  };
}

function issueText(place: CheckedPlace, issue: Issue): string {
  const path = [...place.path, ...(parsePointer(issue.pointer) ?? [])];
  const name = dottedName(path);
  if (issue.keyword === "required") return `${name} is missing: it must be ${issue.expected}`;
  if (issue.keyword === "additionalProperties" && path.length > place.path.length) {
    return `${dottedName(path.slice(0, -1))} has no key ${JSON.stringify(path.at(-1))}`;
  }
  return `${name} must be ${issue.expected}${place.secret ? "" : `, not ${issue.actual}`}`;
}

interface FaultFix {
  readonly issue: Issue;
  readonly value: unknown;
  readonly origin: Origin | undefined;
}

function issueFix(place: CheckedPlace, { issue, value, origin }: FaultFix): string {
  if (issue.suggestion !== undefined && !place.secret) {
    return `Did you mean ${JSON.stringify(issue.suggestion)}?`;
  }
  if (origin === undefined) return `Make ${place.name} fit what it declares.`;
  if (origin.kind === "file" && issue.pointer === "") {
    const quotes = quotesFix(place, value, origin);
    if (quotes !== undefined) return quotes;
  }
  const meant = place.secret || typeof value !== "string" ? undefined : value;
  return setFix(place, origin, meant === undefined ? undefined : meantMember(meant, place.schema));
}

/** YAML's own trap: quotes make text of a number, and their absence a number of text. */
function quotesFix(place: CheckedPlace, value: unknown, origin: Origin): string | undefined {
  if (typeof value === "string" && readsAsOther(value, place.schema)) {
    return `Write it without quotes in ${origin.name}.`;
  }
  const scalar = typeof value === "number" || typeof value === "boolean";
  if (scalar && followRef(place.schema, place.schema)["type"] === "string") {
    return `Write it in quotes in ${origin.name}: it is meant as text.`;
  }
  return undefined;
}

function setFix(place: CheckedPlace, origin: Origin, meant: string | undefined): string {
  if (meant !== undefined) return `Did you mean ${JSON.stringify(meant)}?`;
  const target = origin.kind === "file" ? `${place.name} in ${origin.name}` : origin.name;
  const { pattern, description } = place.schema;
  // A pattern is for machines; people learn more from what the setting says of itself.
  const isAbout = pattern !== undefined && typeof description === "string";
  const about = isAbout ? ` (${description})` : "";
  const set = `Set ${target} to: ${typeText(place.schema)}${about}`;
  if (place.default === undefined) return `${set}.`;
  const fallback = place.secret ? "its default" : `the default ${shown(place.default)}`;
  return `${set}; or leave it out for ${fallback}.`;
}

function meantMember(text: string, schema: JsonSchemaObject): string | undefined {
  const members = followRef(schema, schema)["enum"];
  if (!Array.isArray(members)) return undefined;
  return nearest(
    text,
    members.filter((member) => typeof member === "string"),
  );
}

/** A value as JSON, shortened; never call it with a secret. */
function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= shownMax ? text : `${text.slice(0, shownMax)}…`;
}
