import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { test } from "node:test";
import fc from "fast-check";
import { seedOf } from "@banyan/testbed";
import { FrameReader } from "./frame-reader.ts";
import { FrameWriter } from "./frame-writer.ts";
import { writePayload } from "./payload.ts";
import { FrameType, frameBytesMax, PayloadFlag, pieceBytes } from "./protocol.ts";
import { beginRequest, readRequest } from "./request-head.ts";
import type { RequestHead } from "./request-head.ts";

/** What a writer puts on the wire. */
async function written(write: (writer: FrameWriter) => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  const socket = new Writable({
    write(chunk: Buffer, _encoding, done) {
      chunks.push(Buffer.from(chunk));
      done();
    },
  });
  write(new FrameWriter(socket));
  await new Promise(setImmediate);
  return Buffer.concat(chunks);
}

const head: RequestHead = {
  operation: 3,
  context: 5,
  timeoutMs: 1500,
  trace: undefined,
  idempotencyKey: undefined,
  correlationId: undefined,
  credit: undefined,
};

function request(given: Partial<RequestHead>, text: string | undefined): Promise<Buffer> {
  return written((writer) => {
    writePayload(writer, text, {
      first: (flags, bytes) =>
        beginRequest(writer, { ...head, ...given }, { call: 7, flags, bytes }),
      more: FrameType.RequestMore,
      call: 7,
    });
  });
}

// Golden vectors of decision 0072: a node of another version reads exactly these.
const vectors: readonly (readonly [what: string, bytes: () => Promise<Buffer>, hex: string])[] = [
  ["a ping", () => written((writer) => writer.bare(FrameType.Ping, 0)), "050000003000000000"],
  [
    "a node that has nothing to say of itself yet",
    () => written((writer) => writer.json(FrameType.About, 0, null)),
    "09000000" + "33" + "00000000" + "6e756c6c",
  ],
  [
    "a request",
    () => request({}, '{"n":1}'),
    "15000000" + "10" + "07000000" + "0300" + "0500" + "01" + "dc050000" + "7b226e223a317d",
  ],
  [
    "a request without a body that nothing ends",
    () => request({ timeoutMs: Infinity }, undefined),
    "0e000000" + "10" + "07000000" + "0300" + "0500" + "03" + "ffffffff",
  ],
  [
    "a traced request of a stream with a key and a correlation id",
    () =>
      request(
        {
          trace: {
            traceId: "0af7651916cd43dd8448eb211c80319c",
            spanId: "b7ad6b7169203331",
            sampled: true,
            random: true,
            state: "v=1",
          },
          idempotencyKey: "k1",
          correlationId: "ö7",
          credit: 1,
        },
        "1",
      ),
    "37000000" +
      "10" +
      "07000000" +
      "0300" +
      "0500" +
      "3d" +
      "dc050000" +
      "0af7651916cd43dd8448eb211c80319c" +
      "b7ad6b7169203331" +
      "03" +
      "0300763d31" +
      "026b31" +
      "0300c3b637" +
      "0100" +
      "31",
  ],
];

for (const [what, bytes, hex] of vectors) {
  test(`${what} is on the wire as the page has it`, async () => {
    assert.equal((await bytes()).toString("hex"), hex);
  });
}

/** What a reader hands on, however the bytes come. */
function read(bytes: Buffer, cuts: readonly number[]): { frames: string[]; text: string } {
  const frames: string[] = [];
  const pieces: Buffer[] = [];
  const reader = new FrameReader(({ type, call, bytes: from, start, end }) => {
    frames.push(`${type} ${call} ${end - start}`);
    pieces.push(Buffer.from(from.subarray(start, end)));
  });
  let at = 0;
  for (const cut of [...cuts].sort((a, b) => a - b)) {
    reader.push(Buffer.from(bytes.subarray(at, cut)));
    at = Math.max(at, cut);
  }
  reader.push(Buffer.from(bytes.subarray(at)));
  return { frames, text: Buffer.concat(pieces).toString("hex") };
}

test("frames are the same however the bytes are cut", async () => {
  const property = fc.asyncProperty(
    fc.array(fc.record({ type: fc.integer({ min: 1, max: 255 }), size: fc.nat(3000) }), {
      maxLength: 12,
    }),
    fc.array(fc.nat(40_000), { maxLength: 12 }),
    async (sent, cuts) => {
      const bytes = await written((writer) => {
        for (const [index, { type, size }] of sent.entries()) {
          writer.begin(type, index, size);
          writer.bytes(Buffer.alloc(size, index));
          writer.finish();
        }
      });
      const whole = read(bytes, []);
      assert.equal(whole.frames.length, sent.length);
      assert.deepEqual(
        read(
          bytes,
          cuts.map((cut) => Math.min(cut, bytes.length)),
        ),
        whole,
      );
    },
  );
  await fc.assert(property, { seed: seedOf(), numRuns: 200 });
});

test("a text of any length comes out of its pieces as it went in", async () => {
  const property = fc.asyncProperty(
    fc.string({ unit: "grapheme", maxLength: 300 }),
    fc.integer({ min: 1, max: 900 }),
    async (part, times) => {
      const text = JSON.stringify(part.repeat(times));
      const bytes = await request({}, text);
      const pieces: Buffer[] = [];
      let isWhole = false;
      new FrameReader(({ type, call, bytes: from, start, end }) => {
        assert.equal(call, 7);
        const isFirst = type === FrameType.Request;
        const at = isFirst ? readRequest(from, start, end).payloadAt : start + 1;
        const flags = isFirst ? readRequest(from, start, end).flags : (from[start] ?? 0);
        pieces.push(Buffer.from(from.subarray(at, end)));
        isWhole = (flags & PayloadFlag.Last) !== 0;
      }).push(bytes);
      assert(isWhole);
      assert.equal(Buffer.concat(pieces).toString("utf8"), text);
    },
  );
  await fc.assert(property, { seed: seedOf(), numRuns: 100 });
});

test("a length that no frame has is refused before anything of it is kept", () => {
  for (const length of [0, 4, frameBytesMax + 1, 0xffff_ffff]) {
    const bytes = Buffer.alloc(8);
    bytes.writeUInt32LE(length);
    const reader = new FrameReader(() => assert.fail("there is no frame"));
    assert.throws(() => reader.push(bytes), RangeError);
  }
});

test("whatever a request says, it is read or refused, and nothing else", () => {
  const property = fc.property(fc.uint8Array({ maxLength: 80 }), (given) => {
    const bytes = Buffer.from(given);
    try {
      const { payloadAt } = readRequest(bytes, 0, bytes.length);
      assert(payloadAt <= bytes.length);
    } catch (error) {
      assert(error instanceof RangeError, String(error));
    }
  });
  fc.assert(property, { seed: seedOf(), numRuns: 2000 });
});

test("a correlation id of 255 characters crosses whole, in a frame of due length", async () => {
  const trace = { traceId: "0a".repeat(16), spanId: "0b".repeat(8), sampled: true, random: true };
  const longest = {
    trace: { ...trace, state: "s".repeat(512) },
    idempotencyKey: "k".repeat(255),
    correlationId: "\uffee".repeat(255),
    credit: 1,
  };
  const heads: RequestHead[] = [];
  const payload = "x".repeat(pieceBytes * 2);
  new FrameReader(({ type, bytes, start, end }) => {
    if (type === FrameType.Request) heads.push(readRequest(bytes, start, end));
  }).push(await request(longest, payload));
  assert.equal(heads.length, 1);
  assert.equal(heads[0]?.correlationId, longest.correlationId);
  assert.equal(heads[0]?.trace?.state, longest.trace.state);
  assert.equal(heads[0]?.idempotencyKey, longest.idempotencyKey);
  assert.equal(heads[0]?.credit, 1);
});

test("a correlation id that is too long is not sent, and refused where it comes", async () => {
  const bytes = await request({ correlationId: "x".repeat(256) }, "1");
  assert.equal(bytes.toString("hex"), (await request({}, "1")).toString("hex"));
  const said = Buffer.from("0300" + "0500" + "21" + "dc050000" + "fe02", "hex");
  const hostile = Buffer.concat([said, Buffer.alloc(766, 120)]);
  assert.throws(() => readRequest(hostile, 0, hostile.length), RangeError);
});

test("what is much goes out before the turn ends, little of it when it ends", async () => {
  let chunks = 0;
  const socket = new Writable({
    write(_chunk, _encoding, done) {
      chunks += 1;
      done();
    },
  });
  const writer = new FrameWriter(socket);
  const say = (bytes: number): void => {
    writer.begin(FrameType.Item, 1, bytes);
    writer.bytes(Buffer.alloc(bytes));
    writer.finish();
  };
  say(100);
  say(100);
  assert.equal(chunks, 0);
  await new Promise(setImmediate);
  assert.equal(chunks, 1);
  for (let frames = 0; frames < 30; frames += 1) say(1000);
  assert(chunks > 1, "nothing went out while the turn went on");
  await new Promise(setImmediate);
  assert.equal(writer.queuedBytes, 0);
});

test("bytes are what they were until the socket lets go of them", async () => {
  const sizes = fc.array(fc.nat(20_000), { minLength: 1, maxLength: 40 });
  const turns = fc.array(fc.record({ sizes, takes: fc.nat(8) }), { maxLength: 8 });
  const property = fc.asyncProperty(turns, async (all) => {
    const held: { chunk: Buffer; copy: Buffer; done: () => void }[] = [];
    const socket = new Writable({
      highWaterMark: 1,
      write(chunk: Buffer, _encoding, done) {
        held.push({ chunk, copy: Buffer.from(chunk), done });
      },
    });
    const writer = new FrameWriter(socket);
    const sent: Buffer[] = [];
    const came: Buffer[] = [];
    const take = (): boolean => {
      const next = held.shift();
      if (next === undefined) return false;
      assert(next.chunk.equals(next.copy), "it was written over");
      came.push(next.copy);
      next.done();
      return true;
    };
    for (const turn of all) {
      for (const size of turn.sizes) {
        const bytes = Buffer.alloc(size, sent.length + 1);
        writer.begin(FrameType.Item, 1, size);
        writer.bytes(bytes);
        writer.finish();
        sent.push(bytes);
      }
      await new Promise(setImmediate);
      for (let taken = 0; taken < turn.takes && take(); taken += 1) await Promise.resolve();
    }
    do await new Promise(setImmediate);
    while (take());
    const payloads: Buffer[] = [];
    new FrameReader(({ bytes, start, end }) => {
      payloads.push(Buffer.from(bytes.subarray(start, end)));
    }).push(Buffer.concat(came));
    assert(Buffer.concat(payloads).equals(Buffer.concat(sent)));
    assert.equal(payloads.length, sent.length);
    assert.equal(writer.queuedBytes, 0);
  });
  await fc.assert(property, { seed: seedOf(), numRuns: 60 });
});

test("a writer tells when something begins to wait and when some of it was taken", async () => {
  const taken: (() => void)[] = [];
  const socket = new Writable({
    highWaterMark: 1,
    write: (_chunk, _encoding, done) => void taken.push(done),
  });
  const writer = new FrameWriter(socket);
  let told = 0;
  writer.onProgress = () => {
    told += 1;
  };
  const say = (): void => {
    writer.begin(FrameType.Item, 1, 10);
    writer.bytes(Buffer.alloc(10));
    writer.finish();
    writer.flush();
  };
  say();
  assert.equal(told, 1, "something waits");
  say();
  assert.equal(told, 1, "it waited already");
  taken.shift()?.();
  await new Promise(setImmediate);
  assert.equal(told, 2, "some was taken, though not all");
  assert(writer.queuedBytes > 0);
});

/** A writer whose socket takes when the test says so; and the frames that it was given. */
function openSlowWriter() {
  const frames: string[] = [];
  const taken: (() => void)[] = [];
  const reader = new FrameReader(({ type, call, bytes, start }) => {
    frames.push(`${type} ${call} ${bytes[start] ?? ""}`);
  });
  const socket = new Writable({
    write(chunk: Buffer, _encoding, done) {
      reader.push(Buffer.from(chunk));
      taken.push(done);
    },
  });
  const writer = new FrameWriter(socket);
  return {
    writer,
    frames,
    async take() {
      taken.shift()?.();
      await new Promise(setImmediate);
    },
    async takeAll() {
      while (writer.queuedBytes > 0) await this.take();
    },
    long: (call: number, bytes = 200_000) =>
      writer.long({ more: FrameType.AnswerMore, call, bytes: Buffer.alloc(bytes) }),
  };
}

test("the socket has little at a time, and small frames go between long ones' pieces", async () => {
  const slow = openSlowWriter();
  const { writer, frames } = slow;
  slow.long(1, 10_000_000);
  writer.bare(FrameType.Ping, 0);
  await slow.takeAll();
  const at = frames.findIndex((frame) => frame.startsWith(`${FrameType.Ping} `));
  assert(at >= 0 && at < 20, `it was frame ${at} of ${frames.length}`);
  assert.equal(frames.length, Math.ceil(10_000_000 / 32_000) + 1);
  assert.equal(writer.queuedBytes, 0);
});

test("four long payloads take turns, and one that nobody waits for is dropped", async () => {
  const slow = openSlowWriter();
  for (let call = 1; call <= 6; call += 1) slow.long(call, 2_000_000);
  slow.writer.drop(FrameType.AnswerMore, 2);
  const open = new Set<string>();
  const ended: string[] = [];
  await slow.takeAll();
  for (const frame of slow.frames) {
    const [, call = "", flags] = frame.split(" ");
    open.add(call);
    assert(open.size <= 5, "too many have begun"); // four, and the one that was dropped
    if (flags === "1") {
      open.delete(call);
      ended.push(call);
    }
  }
  assert.deepEqual(ended.toSorted(), ["1", "3", "4", "5", "6"]);
  assert(new Set(slow.frames.slice(0, 20)).size >= 4, "they take no turns");
});

test("pieces of a long payload come behind what begins it, in their order", async () => {
  const said = fc.oneof(fc.record({ long: fc.nat(300_000) }), fc.record({ short: fc.nat(20_000) }));
  const turns = fc.array(fc.record({ said: fc.array(said, { maxLength: 12 }), takes: fc.nat(4) }), {
    maxLength: 8,
  });
  const property = fc.asyncProperty(turns, async (all) => {
    const slow = openSlowWriter();
    const { writer } = slow;
    const wanted = new Map<number, string>();
    let call = 0;
    for (const turn of all) {
      for (const one of turn.said) {
        call += 1;
        const text = "x".repeat("long" in one ? 65_537 + one.long : one.short);
        const first = (flags: number, bytes: number): void => {
          writer.begin(FrameType.Answer, call, 1 + bytes);
          writer.u8(flags);
        };
        writePayload(writer, text, { first, more: FrameType.AnswerMore, call });
        const pieces = "long" in one ? Math.ceil(text.length / 32_000) : 0;
        const middle = `${FrameType.AnswerMore}:0 `.repeat(Math.max(0, pieces - 1));
        wanted.set(
          call,
          pieces === 0
            ? `${FrameType.Answer}:1`
            : `${FrameType.Answer}:0 ${middle}${FrameType.AnswerMore}:1`,
        );
      }
      for (let taken = 0; taken < turn.takes; taken += 1) await slow.take();
    }
    await slow.takeAll();
    const came = new Map<number, string>();
    for (const frame of slow.frames) {
      const [type, of, flags] = frame.split(" ");
      const before = came.get(Number(of));
      came.set(Number(of), `${before === undefined ? "" : `${before} `}${type}:${flags}`);
    }
    const byCall = (a: readonly [number, string], b: readonly [number, string]): number =>
      a[0] - b[0];
    assert.deepEqual([...came].sort(byCall), [...wanted]);
  });
  await fc.assert(property, { seed: seedOf(), numRuns: 60 });
});

test("frames that wait and long payloads hold each other up by a piece at most", async () => {
  const slow = openSlowWriter();
  const say = (): void => {
    slow.writer.begin(FrameType.Item, 9, 30_000);
    slow.writer.bytes(Buffer.alloc(30_000));
    slow.writer.finish();
  };
  for (let n = 0; n < 60; n += 1) say();
  slow.long(1, 1_000_000);
  for (let n = 0; n < 60; n += 1) say();
  await slow.takeAll();
  const kinds = slow.frames.map((frame) => Number(frame.split(" ")[0]));
  const firstPiece = kinds.indexOf(FrameType.AnswerMore);
  const lastPiece = kinds.lastIndexOf(FrameType.AnswerMore);
  assert(firstPiece < kinds.lastIndexOf(FrameType.Item), "all frames went first");
  assert(kinds.indexOf(FrameType.Item, firstPiece) < lastPiece, "all pieces went first");
  assert.equal(slow.writer.queuedBytes, 0);
});
