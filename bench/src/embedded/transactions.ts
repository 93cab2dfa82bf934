/** Several writes and an event as one step. */

import { mkdir } from "node:fs/promises";
import { temporaryDirectory } from "@banyan/testbed";
import type { CaseGroup } from "../area.ts";
import { caseOf } from "../result.ts";
import { askInTurns, openSubjects, seriesOf } from "./contestants.ts";

const each = "node:sqlite, a commit a transaction, the event not handled";
const grouped = "node:sqlite, 64 transactions a commit";
const inFlight = 64;
const keys = 5000;

/** `transaction …`. */
export const transactions: CaseGroup = {
  name: "transactions",
  async run(bench) {
    await using folder = await temporaryDirectory("bench");
    await mkdir(folder.join("banyan"));
    await using stack = new AsyncDisposableStack();
    const [ours, raw] = await openSubjects(bench, stack, [
      ["transfer-banyan.bench.ts", folder.join("banyan"), String(keys)],
      ["transfer-raw.bench.ts", folder.join("raw.db"), String(keys)],
    ]);
    const durationMs = bench.quick ? 30 : 250;
    const measure = "transfers";
    const [own, single, several] = await askInTurns(
      [
        { subject: ours, measure, question: { durationMs, inFlight } },
        { subject: raw, measure, question: { durationMs, rows: 1 } },
        { subject: raw, measure, question: { durationMs, rows: inFlight } },
      ],
      bench.quick ? { rounds: 1, warmUp: 1 } : { rounds: 15, warmUp: 3 },
    );
    const version = process.versions.node;
    return [
      caseOf({
        name: `transaction: two updates and an event, handled, 5 000 keys, ${inFlight} in flight`,
        unit: "transactions/s",
        ours: seriesOf(own, "rate"),
        baseline: { name: each, values: seriesOf(single, "rate") },
        peers: [{ name: grouped, version, values: seriesOf(several, "rate") }],
      }),
    ];
  },
};
