/**
 * Reads the few small messages that a receiver answers with: fields by their number, without a
 * schema. Whatever is no such message is `undefined`, never an exception: it comes from outside.
 */

import { WireType } from "./protobuf-writer.ts";

/** The values of one message by field number, each in the order it came. */
export type ReadFields = ReadonlyMap<number, readonly ReadValue[]>;

/** A number of whatever size, or the bytes of a text or message. */
export type ReadValue = bigint | Uint8Array;

export function readFields(bytes: Uint8Array): ReadFields | undefined {
  const source: Source = { bytes, at: 0 };
  const fields = new Map<number, ReadValue[]>();
  while (source.at < bytes.length) {
    const tag = readVarint(source);
    if (tag === undefined) return undefined;
    const value = readValue(source, Number(tag & 7n));
    if (value === undefined) return undefined;
    const number = Number(tag >> 3n);
    const values = fields.get(number);
    if (values === undefined) fields.set(number, [value]);
    else values.push(value);
  }
  return fields;
}

/** The message in a field; the last one counts. */
export function messageIn(fields: ReadFields | undefined, number: number): ReadFields | undefined {
  const value = fields?.get(number)?.at(-1);
  return value instanceof Uint8Array ? readFields(value) : undefined;
}

/** The text in a field; "" when there is none. */
export function textIn(fields: ReadFields | undefined, number: number): string {
  const value = fields?.get(number)?.at(-1);
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : "";
}

/** The signed number in a field; 0 when there is none. */
export function numberIn(fields: ReadFields | undefined, number: number): number {
  const value = fields?.get(number)?.at(-1);
  return typeof value === "bigint" ? Number(BigInt.asIntN(64, value)) : 0;
}

interface Source {
  readonly bytes: Uint8Array;
  at: number;
}

function readValue(source: Source, wire: number): ReadValue | undefined {
  switch (wire) {
    case WireType.Varint:
      return readVarint(source);
    case WireType.Length: {
      const length = readVarint(source);
      return length === undefined ? undefined : take(source, length);
    }
    case WireType.Fixed64:
      return take(source, 8n);
    case WireType.Fixed32:
      return take(source, 4n);
    default:
      return undefined; // groups, which nobody writes any more, and what is no type at all
  }
}

function readVarint(source: Source): bigint | undefined {
  let value = 0n;
  for (let shift = 0n; shift < 70n; shift += 7n) {
    const byte = source.bytes[source.at];
    if (byte === undefined) return undefined;
    source.at += 1;
    value |= BigInt(byte & 127) << shift;
    if (byte < 128) return BigInt.asUintN(64, value);
  }
  return undefined;
}

function take(source: Source, length: bigint): Uint8Array | undefined {
  const { bytes, at } = source;
  if (length > BigInt(bytes.length - at)) return undefined;
  source.at = at + Number(length);
  return bytes.subarray(at, source.at);
}
