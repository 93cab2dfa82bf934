// `Record`: an object used as a map. What the key may be decides whether it is a true map
// (`patternProperties`) or an object with a closed set of names.
import type { TSchema } from "typebox";
import { literalNames } from "./object-algebra.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import { createObject, createSchema, keywordOf, kindOf, markSchema } from "./schema-marks.ts";

// The patterns are TypeBox's: its types recognise a map by their exact text.
const STRING_KEY = "^.*$";
const INTEGER_KEY = "^-?(?:0|[1-9][0-9]*)$";
const NUMBER_KEY = "^-?(?:0|[1-9][0-9]*)(?:\\.[0-9]+)?$";

/** The schema of a map from keys to values. */
export function recordOf(
  key: TSchema,
  value: TSchema,
  options: Readonly<Record<string, unknown>> = {},
): TSchema {
  return markSchema(withoutOptions(key, value), {}, options);
}

function withoutOptions(key: TSchema, value: TSchema): TSchema {
  const pattern = keyPattern(key);
  if (pattern !== undefined) {
    return createSchema("Record", { type: "object", patternProperties: { [pattern]: value } });
  }
  const names = literalNames(key);
  if (names.length > 0) return createObject(Object.fromEntries(names.map((name) => [name, value])));
  throw new SchemaError(SchemaErrorCode.keywordInvalid, {
    pointer: "",
    message:
      "the key of t.Record is t.String, t.Integer, t.Number, t.Enum, t.Literal or a union of literals",
  });
}

function keyPattern(key: TSchema): string | undefined {
  switch (kindOf(key)) {
    case "String": {
      const pattern = keywordOf(key, "pattern");
      // TypeBox would write the slashes into the pattern; no key would match.
      if (pattern instanceof RegExp) return pattern.source;
      return typeof pattern === "string" ? pattern : STRING_KEY;
    }
    case "Integer":
      return INTEGER_KEY;
    case "Number":
      return NUMBER_KEY;
    default:
      return undefined;
  }
}
