/** The faults of a real PostgreSQL and of the way to it. */

import { after, test } from "node:test";
import { describeTableFaults } from "@banyan/state/conformance";
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
  const engines = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'banyan'";
  describeTableFaults({
    name: "postgres",
    server,
    proxy,
    open: openPostgresState,
    unreachable: "POSTGRES_UNREACHABLE",
    connections: async () => Number(await server.ask(engines)),
    seed: seedOf(),
    until: (look, what) => until(look, { what }),
  });
} else {
  test("faults of postgres", { skip }, () => undefined);
}
