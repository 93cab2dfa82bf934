/**
 * Messages described once, for both of OTLP's encodings. A field says its number and its type; from
 * that come the type of the value, its Protocol Buffers form and its JSON form. A field that is in
 * one encoding is in the other, because neither has a list of its own.
 *
 * The JSON is OTLP's: names in lowerCamelCase, ids as hexadecimal, enumerations as numbers, whole
 * numbers of 64 bits as decimal text (https://opentelemetry.io/docs/specs/otlp, "JSON Protobuf
 * Encoding").
 */

import { ProtobufWriter, WireType } from "./protobuf-writer.ts";

/** What one value is, on both wires. */
export interface FieldType<T> {
  readonly wire: WireType;
  /** What is not written where absence means the same. */
  isDefault(value: T): boolean;
  /** The content alone; the tag is the field's. */
  write(writer: ProtobufWriter, value: T): void;
  toJson(value: T): string;
}

/** One field of a message: a value of its type, or several. */
export interface Field<V> {
  readonly number: number;
  write(writer: ProtobufWriter, value: V): void;
  /** `undefined` for what is not written. */
  toJson(value: V): string | undefined;
}

/** The fields of a message by their JSON names. */
export type Fields = Readonly<Record<string, Field<unknown>>>;

/** The value that a message's fields make. */
export type ValueOf<F> = {
  readonly [Name in keyof F]?: (F[Name] extends Field<infer V> ? V : never) | undefined;
};

/** A message: the type of a field, and what is encoded as a whole. */
export class MessageShape<F extends Fields> implements FieldType<ValueOf<F>> {
  readonly wire = WireType.Length;
  /** From the highest number down, as the writer wants them. */
  readonly #fields: readonly (readonly [name: string, key: string, field: Field<unknown>])[];

  constructor(fields: F) {
    this.#fields = Object.entries<Field<unknown>>(fields)
      .sort(([, a], [, b]) => b.number - a.number)
      .map(([name, field]) => [name, `${JSON.stringify(name)}:`, field]);
  }

  encode(value: ValueOf<F>): Buffer {
    const writer = new ProtobufWriter();
    this.#writeFields(writer, value);
    return writer.finish();
  }

  /** A message that is there says so by being there. */
  isDefault(): boolean {
    return false;
  }

  write(writer: ProtobufWriter, value: ValueOf<F>): void {
    const before = writer.length;
    this.#writeFields(writer, value);
    writer.varint(writer.length - before);
  }

  toJson(value: ValueOf<F>): string {
    const members: string[] = [];
    const values = bagOf(value);
    for (const [name, key, field] of this.#fields) {
      const one = values[name];
      const text = one === undefined ? undefined : field.toJson(one);
      if (text !== undefined) members.push(key + text);
    }
    return `{${members.reverse().join(",")}}`;
  }

  #writeFields(writer: ProtobufWriter, value: ValueOf<F>): void {
    const values = bagOf(value);
    for (const [name, , field] of this.#fields) {
      const one = values[name];
      if (one !== undefined) field.write(writer, one);
    }
  }
}

/** The names come from the very fields that gave the value its type. */
function bagOf(value: object): Readonly<Record<string, unknown>> {
  return value as Readonly<Record<string, unknown>>; // reading any name of an object is safe
}

/** A field that is not written when its value is the default. */
export function one<T>(number: number, type: FieldType<T>): Field<T> {
  return {
    number,
    write(writer, value) {
      if (!type.isDefault(value)) writeOne(writer, { number, type, value });
    },
    toJson: (value) => (type.isDefault(value) ? undefined : type.toJson(value)),
  };
}

/** A field whose presence means something: `optional`, or a choice of a `oneof`. */
export function present<T>(number: number, type: FieldType<T>): Field<T> {
  return {
    number,
    write: (writer, value) => writeOne(writer, { number, type, value }),
    toJson: (value) => type.toJson(value),
  };
}

/** Any number of values, each with its tag. */
export function many<T>(number: number, type: FieldType<T>): Field<readonly T[]> {
  return {
    number,
    write(writer, values) {
      for (const value of values.toReversed()) writeOne(writer, { number, type, value });
    },
    toJson: (values) => listJson(values, type),
  };
}

/** Any number of numbers, under one tag. */
export function packed<T>(number: number, type: FieldType<T>): Field<readonly T[]> {
  return {
    number,
    write(writer, values) {
      if (values.length === 0) return;
      const before = writer.length;
      for (const value of values.toReversed()) type.write(writer, value);
      writer.varint(writer.length - before);
      writer.tag(number, WireType.Length);
    },
    toJson: (values) => listJson(values, type),
  };
}

interface OneValue<T> {
  readonly number: number;
  readonly type: FieldType<T>;
  readonly value: T;
}

function writeOne<T>(writer: ProtobufWriter, { number, type, value }: OneValue<T>): void {
  type.write(writer, value);
  writer.tag(number, type.wire);
}

function listJson<T>(values: readonly T[], type: FieldType<T>): string | undefined {
  if (values.length === 0) return undefined;
  return `[${values.map((value) => type.toJson(value)).join(",")}]`;
}
