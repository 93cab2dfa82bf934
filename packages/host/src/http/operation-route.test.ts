import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { CallContext, CallRuntime } from "@banyan/kernel/internal";
import type { FastifyReply } from "fastify";
import { abortOnClose } from "./operation-route.ts";

test("a client that hung up before its call opened has it aborted at once", () => {
  // All that is asked of the reply is its raw response.
  const reply = {
    raw: Object.assign(new EventEmitter(), { destroyed: true }),
  } as unknown as FastifyReply;
  const target = { service: "desk", name: "desk.order", timeoutMs: 1000 };
  const call = new CallContext(target, new CallRuntime(), {
    mode: "strict",
    principal: { kind: "anonymous" },
    onOpen: (opened) => abortOnClose(opened, reply),
  });
  assert.equal(
    call.open(() => undefined),
    false,
  );
  assert.equal(call.abortReason?.code, "CALL_CANCELLED");
});
