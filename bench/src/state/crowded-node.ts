/** How long a node of many services and stores takes to start, on servers that all of it shares. */

import { openPostgres, openRedisServer } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";
import type { BenchRun, CaseGroup } from "../area.ts";
import { startMs } from "../program.ts";
import type { ProgramSpec } from "../program.ts";
import { banyanBin } from "../project-folder.ts";
import { caseOf } from "../result.ts";
import type { BenchCase } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import { nodeFlags } from "../subject-process.ts";
import { crowd, makeCrowdedFolder } from "./crowded-folder.ts";

const embedded = "the same services on SQLite and in memory";

/** `start of a node …`, the first time and again. */
export const crowdedNode: CaseGroup = {
  name: "start of a node",
  async run(bench) {
    await using postgres = await openPostgres();
    await using redis = await openRedisServer({ listen: "tcp" });
    await using ours = await makeCrowdedFolder({ postgres, redis }, bench.fromSource);
    await using alone = await makeCrowdedFolder(undefined, bench.fromSource);
    const forgetStores = () => postgres.ask("DROP SCHEMA IF EXISTS banyan CASCADE");
    const turns = [
      () => startMs(nodeIn(ours, bench)),
      async () => {
        await forgetStores();
        return await startMs(nodeIn(ours, bench));
      },
      () => startMs(nodeIn(alone, bench)),
    ];
    const rounds = bench.quick ? { rounds: 1, warmUp: 0 } : { rounds: 15, warmUp: 2 };
    const [again = [], first = [], without = []] = await takeTurns(turns, rounds);
    const name = `start of a node, ${crowd.services} services, ${crowd.stores} stores, PostgreSQL and Redis`;
    const about = {
      unit: "ms",
      baseline: { name: embedded, values: without },
      target: { atMost: 1000 },
    };
    const cases: BenchCase[] = [
      caseOf({ ...about, name, ours: again }),
      caseOf({ ...about, name: `${name}, no tables yet`, ours: first }),
    ];
    return cases;
  },
};

function nodeIn(folder: TemporaryDirectory, bench: BenchRun): ProgramSpec {
  const bin = banyanBin(folder, bench.fromSource);
  return {
    args: [...nodeFlags(bench), bin, "up", "--json", "--port", "0"],
    cwd: folder.path,
    // Its own cache of compiled code, filled by the warm-up.
    env: { TMPDIR: folder.path },
    readyText: '"event":"ready"',
  };
}
