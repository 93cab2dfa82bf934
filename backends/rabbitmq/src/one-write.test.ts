import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import { test } from "node:test";
import { connect } from "amqplib";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms } from "@banyan/testbed";
import { streamOf, writeTogether } from "./one-write.ts";

/** Writes down what came in one write, and takes its time for it. */
function openStream(): { stream: Duplex; writes: string[] } {
  const writes: string[] = [];
  const stream = new Duplex({
    read: () => undefined,
    write(chunk: Buffer, _encoding, done) {
      writes.push(chunk.toString());
      setImmediate(done);
    },
    writev(chunks: readonly { readonly chunk: Buffer }[], done) {
      writes.push(chunks.map(({ chunk }) => chunk.toString()).join(""));
      setImmediate(done);
    },
  });
  return { stream, writes };
}

test("what a turn writes goes out as one, in order, and the next turn's as another", async () => {
  const { stream, writes } = openStream();
  writeTogether({ connection: { stream } });
  for (const part of ["a", "b", "c"]) stream.write(Buffer.from(part));
  assert.deepEqual(writes, []);
  await new Promise(setImmediate);
  await new Promise(setImmediate);
  stream.write(Buffer.from("d"));
  stream.write(Buffer.from("e"));
  stream.end();
  await new Promise(setImmediate);
  assert.deepEqual(writes, ["abc", "de"]);
});

test("a stream that is full still says so, and tells when it is not", async () => {
  const { stream, writes } = openStream();
  writeTogether({ connection: { stream } });
  assert.equal(stream.write(Buffer.alloc(stream.writableHighWaterMark)), false);
  await new Promise((resolve) => stream.once("drain", resolve));
  assert.equal(writes.length, 1);
});

const skip = await findReasonToSkip(rabbitmqPrograms);

test("the client keeps the stream of a connection where it is looked for", { skip }, async () => {
  await using server = await openRabbitmq();
  const connection = await connect(server.url);
  const stream = streamOf(connection);
  assert(stream instanceof Duplex);
  await connection.close();
});
