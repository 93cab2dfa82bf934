// The keywords of each kind of value → rules.
import { isNameList, type KeywordReader, type SchemaReader } from "./keyword-reader.ts";
import { nearest } from "./nearest.ts";
import { encodePointerToken } from "./pointer.ts";
import { SchemaError, SchemaErrorCode } from "./schema-error.ts";
import type {
  ArrayRules,
  DependentRule,
  NumberRules,
  ObjectRules,
  PropertyRule,
  StringRules,
} from "./schema-node.ts";
import { isSchemaObject } from "./json-schema.ts";
import { STRING_FORMATS, type StringFormat } from "./string-format.ts";

export function readString(keywords: KeywordReader): StringRules | undefined {
  if (!keywords.has("minLength", "maxLength", "pattern", "format")) return undefined;
  const source = keywords.text("pattern");
  return {
    minLength: keywords.count("minLength", 0),
    maxLength: keywords.count("maxLength", Infinity),
    pattern: source === undefined ? undefined : keywords.pattern(source, "pattern"),
    format: readFormat(keywords),
  };
}

function readFormat(keywords: KeywordReader): StringFormat | undefined {
  const name = keywords.text("format");
  if (name === undefined) return undefined;
  const format = STRING_FORMATS.get(name);
  if (format !== undefined) return format;
  const guess = nearest(name, STRING_FORMATS.keys());
  throw new SchemaError(SchemaErrorCode.formatUnknown, {
    pointer: `${keywords.pointer}/format`,
    message:
      `the format "${name}" at ${keywords.pointer || "the root"} is not known` +
      (guess === undefined
        ? `; known are ${[...STRING_FORMATS.keys()].join(", ")}`
        : `; did you mean "${guess}"?`),
  });
}

export function readNumber(keywords: KeywordReader): NumberRules | undefined {
  const bounds = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
  if (!keywords.has(...bounds)) return undefined;
  const multipleOf = keywords.number("multipleOf");
  if (multipleOf !== undefined && multipleOf <= 0) {
    throw keywords.refusal("multipleOf", "must be greater than 0");
  }
  return {
    minimum: keywords.number("minimum"),
    maximum: keywords.number("maximum"),
    exclusiveMinimum: keywords.number("exclusiveMinimum"),
    exclusiveMaximum: keywords.number("exclusiveMaximum"),
    multipleOf,
  };
}

export function readObject(reader: SchemaReader, keywords: KeywordReader): ObjectRules | undefined {
  const describing = ["properties", "patternProperties", "additionalProperties"];
  const checking = [
    "required",
    "propertyNames",
    "minProperties",
    "maxProperties",
    "dependentRequired",
  ];
  if (!keywords.has(...describing, ...checking)) return undefined;
  const { schema, pointer } = keywords;
  const properties = readProperties(reader, keywords);
  const listed = new Set(properties.map(({ name }) => name));
  return {
    properties,
    requiredOthers: [...new Set(keywords.names("required"))].filter((name) => !listed.has(name)),
    patterns: keywords.map("patternProperties").map(([source, part]) => ({
      pattern: keywords.pattern(source, "patternProperties"),
      node: reader.node(part, `${pointer}/patternProperties/${encodePointerToken(source)}`),
    })),
    additional: keywords.has("additionalProperties")
      ? reader.node(schema["additionalProperties"], `${pointer}/additionalProperties`)
      : undefined,
    names: keywords.has("propertyNames")
      ? reader.node(schema["propertyNames"], `${pointer}/propertyNames`)
      : undefined,
    minProperties: keywords.count("minProperties", 0),
    maxProperties: keywords.count("maxProperties", Infinity),
    dependentRequired: keywords.map("dependentRequired").map(([name, needs]): DependentRule => {
      if (isNameList(needs)) return { name, needs };
      throw keywords.refusal("dependentRequired", "must map names to arrays of names");
    }),
    described: keywords.has(...describing),
  };
}

function readProperties(reader: SchemaReader, keywords: KeywordReader): PropertyRule[] {
  const required = new Set(keywords.names("required"));
  return keywords.map("properties").map(([name, part]) => {
    const place = `${keywords.pointer}/properties/${encodePointerToken(name)}`;
    const value = isSchemaObject(part) ? part["default"] : undefined;
    return {
      name,
      node: reader.node(part, place),
      required: required.has(name),
      fill: value === undefined ? undefined : { value, completed: undefined, state: "raw" },
    };
  });
}

export function readArray(reader: SchemaReader, keywords: KeywordReader): ArrayRules | undefined {
  const describing = ["items", "prefixItems"];
  if (!keywords.has(...describing, "minItems", "maxItems", "uniqueItems", "contains")) {
    return undefined;
  }
  const { schema, pointer } = keywords;
  const part = (keyword: string) =>
    keywords.has(keyword) ? reader.node(schema[keyword], `${pointer}/${keyword}`) : undefined;
  const contains = part("contains");
  return {
    prefix: (keywords.list("prefixItems") ?? []).map((item, index) =>
      reader.node(item, `${pointer}/prefixItems/${index}`),
    ),
    rest: part("items"),
    minItems: keywords.count("minItems", 0),
    maxItems: keywords.count("maxItems", Infinity),
    unique: keywords.flag("uniqueItems"),
    contains:
      contains === undefined
        ? undefined
        : {
            node: contains,
            min: keywords.count("minContains", 1),
            max: keywords.count("maxContains", Infinity),
          },
    described: keywords.has(...describing),
  };
}
