/** What one more peer costs a node: connections of 200 others, each after one call. */

import type { BenchRun, CaseGroup } from "../area.ts";
import { caseOf } from "../result.ts";
import { takeTurns } from "../rounds.ts";
import type { Figures } from "../subject.ts";
import { banyanFiles, openBeside, rawFiles, rawName } from "./contestants.ts";
import type { PairFiles } from "./contestants.ts";

const links = 200;

/** `memory for each further peer`. */
export const memory: CaseGroup = {
  name: "memory",
  async run(bench) {
    const turns = [
      () => measureServer(bench, "banyan", banyanFiles()),
      () => measureServer(bench, "raw", rawFiles()),
    ];
    const rounds = bench.quick ? { rounds: 1, warmUp: 0 } : { rounds: 5, warmUp: 0 };
    const [own = [], bare = []] = await takeTurns(turns, rounds);
    const caseAbout = (name: string, figure: string) => {
      const values = bare.map((each) => each[figure] ?? NaN);
      const ours = own.map((each) => each[figure] ?? NaN);
      return caseOf({ name, unit: "KB", ours, baseline: { name: rawName, values } });
    };
    return [
      caseAbout("memory for each further peer: resident", "residentKb"),
      caseAbout("memory for each further peer: heap and buffers", "heapKb"),
    ];
  },
};

/** A fresh server each time: what a process once held it does not give back. */
async function measureServer(
  bench: BenchRun,
  whose: string,
  { server: file }: PairFiles,
): Promise<Figures> {
  await using server = await openBeside(bench, file);
  const address = String(server.facts["address"]);
  await using crowd = await openBeside(bench, { file: "crowd.bench.ts", args: [whose, address] });
  // The first ones pay for what is there once.
  await crowd.ask("open", { links: 20 });
  const before = await server.ask("memory", {});
  await crowd.ask("open", { links });
  const after = await server.ask("memory", {});
  const perLinkKb = (figure: string): number =>
    ((after[figure] ?? NaN) - (before[figure] ?? NaN)) / links / 1024;
  return { residentKb: perLinkKb("residentBytes"), heapKb: perLinkKb("heapBytes") };
}
