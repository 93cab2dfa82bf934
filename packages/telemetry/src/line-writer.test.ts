import assert from "node:assert/strict";
import { createWriteStream } from "node:fs";
import { readFile } from "node:fs/promises";
import { Writable } from "node:stream";
import { test } from "node:test";
import { FakeClock, temporaryDirectory } from "@banyan/testbed";
import { createLineWriter } from "./line-writer.ts";

/** A stream that takes a chunk only when it is let. */
function slowStream() {
  const chunks: string[] = [];
  const waiting: (() => void)[] = [];
  const stream = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, taken) {
      chunks.push(chunk);
      waiting.push(taken);
    },
  });
  return { stream, chunks, letGo: () => waiting.shift()?.() };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("lines of one turn leave as one chunk, what comes meanwhile with the next (I1)", async () => {
  const { stream, chunks, letGo } = slowStream();
  const writer = createLineWriter(stream);
  writer.write("one");
  writer.write("two");
  assert.deepEqual(chunks, []);
  await turn();
  assert.deepEqual(chunks, ["one\ntwo\n"]);
  writer.write("three");
  await turn();
  writer.write("four");
  assert.equal(chunks.length, 1);
  letGo();
  await turn();
  assert.deepEqual(chunks, ["one\ntwo\n", "three\nfour\n"]);
  letGo();
  await turn();
  assert.equal(writer.pendingBytes, 0);
});

test("lines beyond the bound are counted, and told where they are missing (I2)", async () => {
  const { stream, chunks, letGo } = slowStream();
  const writer = createLineWriter(stream, { pendingBytesMax: 20, clock: new FakeClock() });
  for (const line of ["12345678", "12345678", "lost 1", "lost 2"]) writer.write(line);
  assert.equal(writer.droppedCount, 2);
  assert.equal(writer.pendingBytes, 18);
  await turn();
  letGo();
  await turn();
  writer.write("after");
  letGo();
  await turn();
  letGo();
  await turn();
  const lines = chunks.join("").trimEnd().split("\n");
  assert.deepEqual(
    lines.map((line) => (line.startsWith("{") ? JSON.parse(line) : line)),
    [
      "12345678",
      "12345678",
      {
        time: "2025-01-01T00:00:00.000Z",
        level: "warn",
        message: "log lines were dropped: the reader is too slow",
        dropped: 2,
        droppedInAll: 2,
      },
      "after",
    ],
  );
});

test("a flush resolves when what was written before it is taken (I3)", async () => {
  const { stream, letGo } = slowStream();
  const writer = createLineWriter(stream);
  await writer.flush();
  writer.write("one");
  let flushed = false;
  const flush = writer.flush().then(() => (flushed = true));
  await turn();
  writer.write("later");
  assert.equal(flushed, false);
  letGo();
  await flush;
  assert.ok(writer.pendingBytes > 0);
  const second = writer.flush();
  letGo();
  await second;
  assert.equal(writer.pendingBytes, 0);
});

test("a stream that fails is told once, and flushing then waits for nothing", async () => {
  const failures: string[] = [];
  const stream = new Writable({ write: (_chunk, _encoding, taken) => taken(new Error("EPIPE")) });
  const writer = createLineWriter(stream, { onFailure: ({ message }) => failures.push(message) });
  writer.write("one");
  await writer.flush();
  await turn();
  writer.write("two");
  await writer.flush();
  writer.flushSync();
  assert.deepEqual(failures, ["EPIPE"]);
  assert.equal(writer.droppedCount, 1);
});

test("the last words of a process are written at once to a descriptor", async () => {
  await using folder = await temporaryDirectory();
  const path = folder.join("log");
  const stream = createWriteStream(path);
  await new Promise((resolve) => stream.once("open", resolve));
  const writer = createLineWriter(stream);
  writer.write("last");
  writer.write("words");
  writer.flushSync();
  assert.equal(await readFile(path, "utf8"), "last\nwords\n");
  writer.flushSync();
  await writer.flush();
  await new Promise((resolve) => stream.end(resolve));
  assert.equal(await readFile(path, "utf8"), "last\nwords\n");
  createLineWriter(slowStream().stream).flushSync();
});
