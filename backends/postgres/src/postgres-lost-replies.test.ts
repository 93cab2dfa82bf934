/** Replies of a real PostgreSQL that are lost on the way. */

import { after, test } from "node:test";
import { describeLostReplies } from "@banyan/state/conformance";
import {
  findReasonToSkip,
  openPostgres,
  openTcpProxy,
  postgresPrograms,
  seedOf,
  until,
} from "@banyan/testbed";
import { openPostgresState } from "./postgres-engine.ts";

const skip = await findReasonToSkip(postgresPrograms);

if (skip === false) {
  const server = await openPostgres();

  const proxy = await openTcpProxy({ to: server });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  describeLostReplies({
    name: "postgres",
    proxy,
    open: (commandTimeoutMs) =>
      openPostgresState({ url: proxy.urlOf(server.url), commandTimeoutMs }),
    seed: seedOf(),
    until: (look, what) => until(look, { what }),
  });
} else {
  test("lost replies of postgres", { skip }, () => undefined);
}
