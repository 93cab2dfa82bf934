/** The faults of a real MariaDB and of the way to it. */

import { after, test } from "node:test";
import { describeTableFaults } from "@banyan/state/conformance";
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
  const engines = "SELECT count(*) FROM information_schema.processlist WHERE user = 'banyan'";
  describeTableFaults({
    name: "mysql",
    server,
    proxy,
    open: openMysqlState,
    unreachable: "MYSQL_UNREACHABLE",
    connections: async () => Number(await server.ask(engines)),
    seed: seedOf(),
    until: (look, what) => until(look, { what }),
  });
} else {
  test("faults of mysql", { skip }, () => undefined);
}
