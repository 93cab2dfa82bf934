/** State on networked SQL servers beside the driver by hand: gets, sets, conditional sets. */

import { openMariadb, openPostgres } from "@banyan/testbed";
import type { Area, BenchRun, CaseGroup } from "../area.ts";
import { caseOf } from "../result.ts";
import type { BenchCase } from "../result.ts";
import { openSubject } from "../subject-process.ts";
import type { SubjectProcess } from "../subject-process.ts";
import { askInTurns, seriesOf } from "../embedded/contestants.ts";

const fewKeys = 5000;

const measures = [
  ["get", "gets/s"],
  ["set", "sets/s"],
  ["replace", "sets/s"],
] as const;

const words = { get: "get", set: "set", replace: "conditional set" };

export const postgresState: CaseGroup = {
  name: "PostgreSQL state",
  async run(bench) {
    await using server = await openPostgres();
    return await casesOf(bench, { what: "PostgreSQL", driver: "pg", url: server.url });
  },
};

export const mariadbState: CaseGroup = {
  name: "MariaDB state",
  async run(bench) {
    await using server = await openMariadb();
    return await casesOf(bench, { what: "MariaDB", driver: "mysql2", url: server.url });
  },
};

/** Both, until they stand in an area with other engines. */
export const sqlState: Area = { name: "sql", groups: [postgresState, mariadbState] };

interface Measured {
  readonly what: string;
  readonly driver: "pg" | "mysql2";
  readonly url: string;
}

async function casesOf(bench: BenchRun, { what, driver, url }: Measured): Promise<BenchCase[]> {
  await using stack = new AsyncDisposableStack();
  const { quick, fromSource } = bench;
  const prefix = driver === "pg" ? "postgres" : "mysql";
  const args = [url, String(quick ? 200 : fewKeys)];
  const open = async (kind: string): Promise<SubjectProcess> => {
    const file = new URL(`${prefix}-${kind}.bench.ts`, import.meta.url);
    return stack.use(await openSubject(file, { args, fromSource }));
  };
  const subjects = [await open("banyan"), await open("raw")];
  const rounds = quick ? { rounds: 2, warmUp: 1 } : { rounds: 13, warmUp: 3 };
  const cases: BenchCase[] = [];
  for (const [measure, unit] of measures) {
    for (const inFlight of [16, 64]) {
      const question = { durationMs: quick ? 30 : 400, inFlight };
      const asked = subjects.map((subject) => ({ subject, measure, question }));
      const [ours, raw] = await askInTurns(asked, rounds);
      const name = `${driver}, one prepared statement a call, pool of 16`;
      cases.push(
        caseOf({
          name: `${what} ${words[measure]}, 5 000 keys, ${inFlight} in flight`,
          unit,
          ours: seriesOf(ours, "rate"),
          baseline: { name, values: seriesOf(raw, "rate") },
          target: { atLeast: 0.85, times: name },
        }),
      );
    }
  }
  return cases;
}
