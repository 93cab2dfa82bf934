import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { connect } from "node:net";
import { test } from "node:test";
import { natsPrograms, openNats } from "./nats-server.ts";
import { findReasonToSkip } from "./required-programs.ts";

const natsTest = { skip: await findReasonToSkip(natsPrograms) };

/** The first of what it says, and whether a message comes back, by the text protocol itself. */
async function speak(port: number): Promise<string> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    let heard = "";
    for await (const chunk of socket.setEncoding("utf8")) {
      // The stream has an encoding, so its chunks are texts.
      const text = chunk as string;
      if (heard === "") socket.write("CONNECT {}\r\nSUB tea 1\r\nPUB tea 3\r\nhot\r\n");
      heard += text;
      if (heard.includes("hot")) break;
    }
    return heard;
  } finally {
    socket.destroy();
  }
}

test(
  "a message that is published comes to who subscribed, also after a restart",
  natsTest,
  async () => {
    await using nats = await openNats();
    assert.equal(nats.url, `nats://127.0.0.1:${nats.port}`);
    assert.match(await speak(nats.port), /^INFO .*MSG tea 1 3\r\nhot/s);
    await nats.restart({ kill: true });
    assert.match(await speak(nats.port), /MSG tea 1 3\r\nhot/);
  },
);

test("neither process nor folder is left", natsTest, async () => {
  const nats = await openNats();
  const { pid, directory } = nats;
  await nats[Symbol.asyncDispose]();
  assert.equal(existsSync(directory), false);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});
