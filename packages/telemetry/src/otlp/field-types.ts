/** The scalar types that OTLP's messages are made of, each with both of its forms. */

import type { FieldType } from "./message-shape.ts";
import { WireType } from "./protobuf-writer.ts";

export const text: FieldType<string> = {
  wire: WireType.Length,
  isDefault: (value) => value === "",
  write(writer, value) {
    const before = writer.length;
    writer.text(value);
    writer.varint(writer.length - before);
  },
  // Well-formed, so that both encodings say the same of half a surrogate pair.
  toJson: (value) => JSON.stringify(value.toWellFormed()),
};

/** Bytes given and shown as hexadecimal digits: trace and span ids. */
export const id: FieldType<string> = {
  wire: WireType.Length,
  isDefault: (value) => value === "",
  write(writer, value) {
    const before = writer.length;
    writer.hex(value);
    writer.varint(writer.length - before);
  },
  toJson: (value) => JSON.stringify(value),
};

export const bool: FieldType<boolean> = {
  wire: WireType.Varint,
  isDefault: (value) => !value,
  write: (writer, value) => writer.varint(value ? 1 : 0),
  toJson: String,
};

/** A number of an enumeration. */
export const choice: FieldType<number> = {
  wire: WireType.Varint,
  isDefault: (value) => value === 0,
  write: (writer, value) => writer.varint(value),
  toJson: String,
};

/** A whole number that JavaScript holds exactly. */
export const int64: FieldType<number> = {
  wire: WireType.Varint,
  isDefault: (value) => value === 0,
  write: (writer, value) => writer.signedVarint(value),
  // Through BigInt: a plain number would be written as 1e21, or as -0.
  toJson: (value) => `"${BigInt(value)}"`,
};

export const fixed32: FieldType<number> = {
  wire: WireType.Fixed32,
  isDefault: (value) => value === 0,
  write: (writer, value) => writer.fixed32(value),
  toJson: String,
};

/** Nanoseconds and counts. */
export const fixed64: FieldType<bigint> = {
  wire: WireType.Fixed64,
  isDefault: (value) => value === 0n,
  write: (writer, value) => writer.fixed64(value),
  toJson: (value) => `"${value}"`,
};

export const double: FieldType<number> = {
  wire: WireType.Fixed64,
  isDefault: (value) => Object.is(value, 0),
  write: (writer, value) => writer.double(value),
  toJson(value) {
    if (Number.isFinite(value)) return Object.is(value, -0) ? "-0" : String(value);
    return Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"';
  },
};
