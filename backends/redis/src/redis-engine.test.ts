/**
 * The law on a real server. Its clock cannot be moved, so the scripts are given one that can: a
 * number in the server, far in the future, so that nothing ends by itself; what is due is then
 * removed as the server removes it, without a word to the indexes. Real time has a file of its own.
 */

import { after, test } from "node:test";
import { describeStateEngine } from "@banyan/state/conformance";
import { findReasonToSkip, openRedisServer, redisPrograms } from "@banyan/testbed";
import { openMovedHarness } from "./conformance/moved-clock.ts";

const reason = await findReasonToSkip(redisPrograms);
if (reason !== false) test("the law of state, kept by redis", { skip: reason });

const settings = [
  ["as it comes", {}],
  ["in memory only", { save: "", appendonly: "no" }],
] as const;

for (const [title, config] of reason === false ? settings : []) {
  const server = await openRedisServer({ config });
  after(() => server[Symbol.asyncDispose]());
  describeStateEngine({
    name: `redis, ${title}`,
    capabilities: ["expires", "revisions", "transaction"],
    runs: 30,
    open: () => openMovedHarness({ servers: [server], options: { url: server.url } }),
  });
}
