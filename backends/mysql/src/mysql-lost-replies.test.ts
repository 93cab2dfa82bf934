/** Replies of a real MariaDB that are lost on the way. */

import { after, test } from "node:test";
import { describeLostReplies } from "@banyan/state/conformance";
import {
  findReasonToSkip,
  openMariadb,
  openTcpProxy,
  mariadbPrograms,
  seedOf,
  until,
} from "@banyan/testbed";
import { openMysqlState } from "./mysql-engine.ts";

const skip = await findReasonToSkip(mariadbPrograms);

if (skip === false) {
  const server = await openMariadb();

  const proxy = await openTcpProxy({ to: server });
  after(async () => {
    await proxy[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  });
  describeLostReplies({
    name: "mysql",
    proxy,
    open: (commandTimeoutMs) => openMysqlState({ url: proxy.urlOf(server.url), commandTimeoutMs }),
    seed: seedOf(),
    until: (look, what) => until(look, { what }),
  });
} else {
  test("lost replies of mysql", { skip }, () => undefined);
}
