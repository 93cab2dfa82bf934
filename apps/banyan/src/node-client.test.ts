import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener } from "node:http";
import { describe, test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { freePort } from "@banyan/testbed";
import type { NodeAddress } from "./node-address.ts";
import { askNode, callNode } from "./node-client.ts";

interface FakeNode extends AsyncDisposable {
  readonly address: NodeAddress;
}

/** Something that answers HTTP; what it answers is the test's affair. */
async function serve(listener: RequestListener): Promise<FakeNode> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  const bound = server.address();
  assert.ok(bound !== null && typeof bound === "object");
  return {
    address: { url: `http://127.0.0.1:${bound.port}`, token: "secret" },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

const request = { path: "/a/b", body: { x: 1 } };

describe("what a node answers", () => {
  test("a value is the answer, and the call carries body, token, deadline and key", async () => {
    let seen: IncomingMessage | undefined;
    let body = "";
    await using node = await serve((incoming, response) => {
      seen = incoming;
      incoming.on("data", (chunk) => (body += String(chunk)));
      response.setHeader("content-type", "application/json; charset=utf-8");
      incoming.on("end", () => response.end('{"ok":true}'));
    });
    const call = { ...request, timeoutMs: 1000, idempotencyKey: "k" };
    assert.deepEqual(await callNode(node.address, call), { kind: "value", value: { ok: true } });
    assert.deepEqual([seen?.method, seen?.url, body], ["POST", "/a/b", '{"x":1}']);
    const { headers } = seen ?? assert.fail();
    assert.equal(headers.authorization, "Bearer secret");
    assert.equal(headers["banyan-timeout-ms"], "1000");
    assert.equal(headers["idempotency-key"], "k");
  });

  test("204 is an answer without a value", async () => {
    await using node = await serve((_incoming, response) => response.writeHead(204).end());
    assert.deepEqual(await callNode(node.address, request), { kind: "nothing" });
  });

  test("a problem becomes the error that it was, with issues and trace", async () => {
    const problem = {
      kind: "aborted",
      code: "SHOP_BUSY",
      detail: "Later.",
      status: 409,
      retryable: true,
      retryAfterMs: 50,
      issues: [{ pointer: "/x" }],
      details: { shelf: 3 },
      traceId: "t",
    };
    await using node = await serve((_incoming, response) => {
      response.writeHead(409, { "content-type": "application/problem+json" });
      response.end(JSON.stringify(problem));
    });
    await assert.rejects(callNode(node.address, request), {
      kind: "aborted",
      code: "SHOP_BUSY",
      message: "Later.",
      retryAfterMs: 50,
      details: { shelf: 3, issues: [{ pointer: "/x" }], traceId: "t" },
    });
  });

  test("frames come one by one, an error among them is thrown", async () => {
    await using node = await serve((_incoming, response) => {
      response.writeHead(200, { "content-type": "text/event-stream" });
      const problem = { kind: "internal", code: "INTERNAL", detail: "Broke." };
      response.end(`data: {"n":1}\n\nevent: error\ndata: ${JSON.stringify(problem)}\n\n`);
    });
    const answer = await callNode(node.address, request);
    assert.ok(answer.kind === "frames");
    const seen: unknown[] = [];
    await assert.rejects(
      async () => {
        for await (const frame of answer.frames) seen.push(frame);
      },
      { code: "INTERNAL", message: "Broke." },
    );
    assert.deepEqual(seen, [{ n: 1 }]);
  });
});

describe("what is no answer", () => {
  test("a page of something else is called that", async () => {
    await using node = await serve((_incoming, response) => {
      response.setHeader("content-type", "text/html");
      response.end("<p>hello</p>");
    });
    await assert.rejects(askNode(node.address, "/x"), { code: "CLI_ANSWER_UNREADABLE" });
  });

  test("JSON that is cut off, and a problem without a code, are called that", async () => {
    for (const [type, text] of [
      ["application/json", '{"a":'],
      ["application/json", "[]"],
      ["application/problem+json", "{}"],
      ["application/problem+json", "null"],
    ] as const) {
      await using node = await serve((_incoming, response) => {
        response.setHeader("content-type", type);
        response.end(text);
      });
      await assert.rejects(askNode(node.address, "/x"), { code: "CLI_ANSWER_UNREADABLE" });
    }
  });

  test("nobody listening means that nothing happened", async () => {
    const address = { url: `http://127.0.0.1:${await freePort()}`, token: undefined };
    await assert.rejects(callNode(address, request), { code: "CLI_NOT_CONNECTED" });
  });

  test("a connection that breaks after the request leaves the outcome unknown", async () => {
    await using node = await serve((incoming) => incoming.socket.destroy());
    await assert.rejects(callNode(node.address, request), {
      code: "CLI_CONNECTION_LOST",
      retryable: false,
    });
  });

  test("a body that is cut off took no effect, and is told with its size", async () => {
    await using node = await serve((incoming) => incoming.socket.destroy());
    const body = { text: "x".repeat(64 * 1024 * 1024) };
    await assert.rejects(callNode(node.address, { path: "/a", body }), (error) => {
      assert.ok(isBanyanError(error, "CLI_CONNECTION_LOST"));
      assert.match(error.message, /while 671088\d\d bytes were sent.*too large.*took no effect/);
      return true;
    });
  });

  test("only a verb that takes an idempotency key advises one", async () => {
    await using node = await serve((incoming) => incoming.socket.destroy());
    const fixOf = async (repeatAdvice?: string): Promise<unknown> => {
      try {
        await callNode(node.address, { ...request, repeatAdvice });
      } catch (error) {
        return isBanyanError(error) ? error.details?.["fix"] : error;
      }
      return undefined;
    };
    assert.match(String(await fixOf()), /not known\. Look at what is there/);
    assert.match(String(await fixOf("Repeat it.")), /not known\. Repeat it\.$/);
  });

  test("an answer or a stream that ends early leaves the outcome unknown", async () => {
    await using node = await serve((incoming, response) => {
      const stream = incoming.url === "/stream";
      response.writeHead(200, {
        "content-type": stream ? "text/event-stream" : "application/json",
        ...(stream ? {} : { "content-length": "100" }),
      });
      response.write(stream ? 'data: {"n":1}\n\n' : '{"a":', () => incoming.socket.destroy());
    });
    const lost = { code: "CLI_CONNECTION_LOST" };
    await assert.rejects(callNode(node.address, request), lost);
    const answer = await callNode(node.address, { ...request, path: "/stream" });
    assert.ok(answer.kind === "frames");
    await assert.rejects(Array.fromAsync(answer.frames), lost);
  });
});
