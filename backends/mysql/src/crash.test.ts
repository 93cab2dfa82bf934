/**
 * No kill of a node loses what was acknowledged, for every kind of write. Run with arguments, this
 * file is the node that is killed.
 */

import { test } from "node:test";
import { surviveKills, writeUntilKilled } from "@banyan/state/conformance";
import {
  findReasonToSkip,
  openMariadb,
  mariadbPrograms,
  seedOf,
  spawnNode,
  until,
} from "@banyan/testbed";
import { openMysqlState } from "./mysql-engine.ts";

const KILLS = 8;
const [, , url, writer = ""] = process.argv;

if (url === undefined) await describeCrashes();
else await writeUntilKilled(await openMysqlState({ url }), writer);

async function describeCrashes(): Promise<void> {
  const skip = await findReasonToSkip(mariadbPrograms);
  test(`no acknowledged write is lost in ${KILLS} kills of a node`, { skip }, async () => {
    await using server = await openMariadb();
    await using engine = await openMysqlState({ url: server.url });
    const sessions = "SELECT count(*) FROM information_schema.processlist WHERE user = 'banyan'";
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
