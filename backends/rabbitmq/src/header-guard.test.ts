import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import fc from "fast-check";
import { guardHeaders, headerLevelsMax, withReadableHeaders } from "./header-guard.ts";
import { own } from "./own-headers.ts";

type Table = Readonly<Record<string, unknown>>;

/** A frame as the client reads it. */
interface Frame {
  readonly channel: number;
  readonly fields: Table & { readonly headers: Table };
}

interface Client {
  rest: Buffer;
  recvFrame(): Frame | false;
}

/** The client's own parts, which it does not export. */
const inside = createRequire(import.meta.resolve("amqplib"));
// What these files export is not typed; a wrong name fails each test here.
const { Connection } = inside("./lib/connection.js") as {
  Connection: new (stream: PassThrough) => Client;
};
const { encodeProperties } = inside("./lib/defs.js") as {
  encodeProperties(id: number, channel: number, size: number, fields: object): Buffer;
};
const basicProperties = 60;

function frameOf(headers: Table, others: object = {}): Buffer {
  return encodeProperties(basicProperties, 5, 77, { ...others, headers });
}

/** What the client reads of these bytes; it has its guard. */
function read(bytes: Buffer, sizes: readonly number[] = []): readonly Frame[] {
  const stream = new PassThrough();
  const client = new Connection(stream);
  guardHeaders({ connection: client });
  const frames: Frame[] = [];
  let at = 0;
  for (const size of [...sizes, bytes.length]) {
    stream.write(bytes.subarray(at, at + size));
    at += size;
    for (let frame = client.recvFrame(); frame !== false; frame = client.recvFrame()) {
      frames.push(frame);
    }
  }
  return frames;
}

/** A value in so many tables and arrays. */
function nest(value: unknown, levels: readonly boolean[]): unknown {
  return levels.reduce<unknown>((inner, isTable) => (isTable ? { inner } : [1, inner]), value);
}

const leaf = fc.oneof(
  fc.string(),
  fc.boolean(),
  fc.constant(null),
  fc.double().map((value) => ({ "!": "double", value })),
  fc.maxSafeInteger(),
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  fc.nat().map((value) => ({ "!": "timestamp", value })),
  fc.nat().map((digits) => ({ "!": "decimal", value: { places: 2, digits } })),
  fc
    .constantFrom("byte", "unsignedbyte", "short", "unsignedshort", "unsignedint", "float")
    .chain((type) => fc.nat(127).map((value) => ({ "!": type, value }))),
);
/** An object with a `!` is one of the client's typed values. */
const name = fc.string({ maxLength: 60 }).filter((text) => text !== "!");
const { table } = fc.letrec<{ value: unknown; table: Record<string, unknown> }>((tie) => ({
  value: fc.oneof({ maxDepth: 6 }, leaf, fc.array(tie("value"), { maxLength: 4 }), tie("table")),
  table: fc.dictionary(name, tie("value"), { maxKeys: 6 }),
}));
const others = fc.record(
  { contentType: fc.string({ maxLength: 60 }), contentEncoding: fc.string({ maxLength: 60 }) },
  { requiredKeys: [] },
);
/** A value in tables and arrays. */
function nested(range: { minLength: number; maxLength: number }): fc.Arbitrary<unknown> {
  const levels = fc.array(fc.boolean(), { ...range, size: "max" });
  return fc.tuple(leaf, levels).map(([value, way]) => nest(value, way));
}

describe("the guard of headers", () => {
  test("headers of at most 64 levels pass as they came", () => {
    const shallow = { minLength: 0, maxLength: headerLevelsMax };
    fc.assert(
      fc.property(table, others, nested(shallow), (headers, properties, deep) => {
        const bytes = frameOf({ ...headers, deep }, properties);
        assert.equal(withReadableHeaders(bytes), bytes);
      }),
    );
    const deepest = frameOf({ deep: nest("end", Array(headerLevelsMax).fill(true)) });
    assert.equal(withReadableHeaders(deepest), deepest);
  });

  test("deeper ones are replaced by the reason, and the rest of the message stays", () => {
    const tooDeep = { minLength: headerLevelsMax + 1, maxLength: 400 };
    fc.assert(
      fc.property(table, others, nested(tooDeep), (headers, properties, deep) => {
        const kept = { ...properties, messageId: "order 7", priority: 3 };
        const bytes = frameOf({ ...headers, deep }, kept);
        const next = frameOf({ next: "one" });
        const [first, second, ...more] = read(Buffer.concat([bytes, next]));
        const reason = "The headers are nested deeper than 64 levels.";
        const known = Object.entries(first?.fields ?? {}).filter(([, said]) => said !== undefined);
        assert.deepEqual(Object.fromEntries(known), {
          ...kept,
          headers: { [own.damage]: reason },
        });
        assert.equal(first?.channel, 5);
        assert.deepEqual(second?.fields.headers, { next: "one" });
        assert.deepEqual(more, []);
      }),
    );
  });

  test("a frame that comes in pieces is looked at when it is whole", () => {
    const bytes = frameOf({ deep: nest("end", Array(100).fill(false)) });
    fc.assert(
      fc.property(fc.array(fc.nat(90)), (sizes) => {
        const [frame, ...more] = read(bytes, sizes);
        assert.deepEqual(Object.keys(frame?.fields.headers ?? {}), [own.damage]);
        assert.deepEqual(more, []);
      }),
    );
  });

  test("a type that the client does not know is told", () => {
    const bytes = frameOf({ odd: true });
    bytes[bytes.indexOf("odd") + 3] = "L".charCodeAt(0);
    const longer = frameOf({ odd: "12345678" });
    longer[longer.indexOf("odd") + 3] = "L".charCodeAt(0);
    assert.deepEqual(read(bytes)[0]?.fields.headers, {
      [own.damage]: "The headers are no AMQP table.",
    });
    assert.match(String(read(longer)[0]?.fields.headers[own.damage]), /of type "L"/);
  });

  test("whatever the bytes of the headers are, the client can read what is left of them", () => {
    const spoilt = fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(table, spoilt, (headers, changes) => {
        const bytes = frameOf(headers);
        const from = 7 + 14 + 4;
        const size = bytes.length - 1 - from;
        if (size === 0) return;
        for (const [at, byte] of changes) bytes[from + (at % size)] = byte;
        assert.equal(read(bytes).length, 1);
      }),
      { numRuns: 1000 },
    );
  });

  test("other frames, and what is no whole frame, pass as they came", () => {
    const deep = frameOf({ deep: nest("end", Array(100).fill(true)) });
    assert.notEqual(withReadableHeaders(deep), deep);
    const noFlags = Buffer.from(deep).fill(0, 19, 21);
    const noEnd = Buffer.from(deep).fill(0, deep.length - 1);
    const ofOtherTypes = [1, 3, 8].map((type) => Buffer.from(deep).fill(type, 0, 1));
    const parts = Array.from(deep, (_, length) => deep.subarray(0, length));
    for (const bytes of [noFlags, noEnd, ...ofOtherTypes, ...parts]) {
      assert.equal(withReadableHeaders(bytes), bytes);
    }
  });
});
