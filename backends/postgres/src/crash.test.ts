/**
 * No kill of a node loses what was acknowledged, for every kind of write. Run with arguments, this
 * file is the node that is killed.
 */

import { test } from "node:test";
import { surviveKills, writeUntilKilled } from "@banyan/state/conformance";
import {
  findReasonToSkip,
  openPostgres,
  postgresPrograms,
  seedOf,
  spawnNode,
  until,
} from "@banyan/testbed";
import { openPostgresState } from "./postgres-engine.ts";

const KILLS = 8;
const [, , url, writer = ""] = process.argv;

if (url === undefined) await describeCrashes();
else await writeUntilKilled(await openPostgresState({ url }), writer);

async function describeCrashes(): Promise<void> {
  const skip = await findReasonToSkip(postgresPrograms);
  test(`no acknowledged write is lost in ${KILLS} kills of a node`, { skip }, async () => {
    await using server = await openPostgres();
    await using engine = await openPostgresState({ url: server.url });
    const sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'banyan'";
    const isAlone = async (): Promise<boolean> => Number(await server.ask(sessions)) <= 5;
    await surviveKills({
      engine,
      kills: KILLS,
      seed: seedOf(),
      spawn: (name) => spawnNode(import.meta.filename, [server.url, name]),
      untilAlone: () => until(isAlone, { what: "The end of a killed node's connections" }),
    });
  });
}
