import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { readEvents } from "./sse.ts";
import type { ServerSentEvent } from "./sse.ts";

async function read(chunks: readonly (string | Uint8Array)[]): Promise<ServerSentEvent[]> {
  async function* source(): AsyncGenerator<string | Uint8Array> {
    yield* chunks;
  }
  return Array.fromAsync(readEvents(source()));
}

test("events have a name, a comment is no event, one that is cut off is dropped", async () => {
  const text = ': hi\n\ndata: {"a":1}\n\nevent: end\ndata: {}\n\ndata: half';
  assert.deepEqual(await read([text]), [
    { event: "message", data: '{"a":1}' },
    { event: "end", data: "{}" },
  ]);
});

test("lines may end in CR, LF or both, and data of several lines is joined", async () => {
  assert.deepEqual(await read(["data:a\r\ndata: b\r\n\r\n", "data:c\r\rdata:d\n\n"]), [
    { event: "message", data: "a\nb" },
    { event: "message", data: "c" },
    { event: "message", data: "d" },
  ]);
});

test("however the bytes are cut, the events are the same", async () => {
  const seed = seedOf();
  const frames = fc.array(fc.json(), { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(frames, fc.constantFrom("\n", "\r\n"), fc.nat(7), async (data, end, step) => {
      const text = data
        .map((each) => `data: ${each.replaceAll(/[\r\n]/g, " ")}${end}${end}`)
        .join("");
      const bytes = new TextEncoder().encode(text);
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; at += step + 1)
        chunks.push(bytes.slice(at, at + step + 1));
      const events = await read(chunks);
      assert.deepEqual(
        events.map((event) => event.data),
        data.map((each) => each.replaceAll(/[\r\n]/g, " ")),
      );
    }),
    { seed, numRuns: 100 },
  );
});
