import { after, test } from "node:test";
import { describeLocks } from "@banyan/state/conformance";
import { findReasonToSkip, openRedisServer, redisPrograms } from "@banyan/testbed";
import { openMovedHarness } from "./conformance/moved-clock.ts";

const skip = await findReasonToSkip(redisPrograms);

if (skip === false) {
  const server = await openRedisServer();
  after(() => server[Symbol.asyncDispose]());

  describeLocks({
    name: "redis",
    runs: 30,
    open: () => openMovedHarness({ servers: [server], options: { url: server.url } }),
  });
} else {
  test("the law of locks, kept on redis", { skip }, () => undefined);
}
