/** A store in memory beside a Map, unstorage and Keyv. */

import type { CaseGroup } from "../area.ts";
import { openSubjects, askInTurns, seriesOf } from "../embedded/contestants.ts";
import { caseOf } from "../result.ts";
import { besidePeers } from "./beside-peers.ts";

const keys = 5000;
const byHand = "a Map of JSON behind a promise";

/** `memory get …`, and what peers can do too. */
export const memoryStore: CaseGroup = {
  name: "memory",
  async run(bench) {
    await using stack = new AsyncDisposableStack();
    const count = String(bench.quick ? 200 : keys);
    const subjects = await openSubjects(bench, stack, [
      ["../state/memory-banyan.bench.ts", count],
      ["../state/memory-raw.bench.ts", count],
      ["../state/peer-unstorage.bench.mjs", "memory", count],
      ["../state/peer-keyv.bench.mjs", "memory", count],
    ]);
    const question = { inFlight: 1, durationMs: bench.quick ? 20 : 120 };
    const rounds = bench.quick ? { rounds: 2, warmUp: 1 } : { rounds: 21, warmUp: 4 };
    const pair = subjects.slice(0, 2).map((subject) => ({ subject, measure: "get", question }));
    const [ours, raw] = await askInTurns(pair, rounds);
    const get = caseOf({
      name: "memory get, 5 000 keys, 1 in flight",
      unit: "gets/s",
      ours: seriesOf(ours, "rate"),
      baseline: { name: byHand, values: seriesOf(raw, "rate") },
      target: { atLeast: 2_000_000 },
    });
    const peers = ["unstorage, memory", "Keyv, Map"] as const;
    const beside = { what: "memory", inFlight: 1, baseline: () => byHand, peers };
    return [get, ...(await besidePeers(beside, bench, subjects))];
  },
};
