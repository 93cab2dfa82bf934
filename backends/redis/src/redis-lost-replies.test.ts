/** Replies of a real Redis that are lost on the way. */

import assert from "node:assert/strict";
import { after, test } from "node:test";
import { describeLostReplies } from "@banyan/state/conformance";
import {
  findReasonToSkip,
  openRedisServer,
  openTcpProxy,
  redisPrograms,
  seedOf,
  until,
} from "@banyan/testbed";
import { openRedis } from "./redis-engine.ts";

const skip = await findReasonToSkip(redisPrograms);

if (skip === false) {
  const server = await openRedisServer({ listen: "tcp" });
  assert("port" in server.address);
  const proxy = await openTcpProxy({ to: server.address });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  describeLostReplies({
    name: "redis",
    proxy,
    open: (commandTimeoutMs) => openRedis({ url: proxy.urlOf(server.url), commandTimeoutMs }),
    seed: seedOf(),
    until: (look, what) => until(look, { what }),
  });
} else {
  test("lost replies of redis", { skip }, () => undefined);
}
