/** A stream of small frames from a server: as it comes, and with frames ahead of the consumer. */

import type { CaseGroup } from "../area.ts";
import { askInTurns, seriesOf } from "../embedded/contestants.ts";
import { caseOf } from "../result.ts";
import type { Target } from "../result.ts";
import { banyanFiles, openPair, rawFiles, rawName } from "./contestants.ts";

const promised: Target = { atLeast: 0.5, times: rawName };

/** Frames that may come before they are asked for, and what is promised of each. */
const windows: readonly { readonly ahead: number; readonly target?: Target }[] = [
  { ahead: 0, target: promised },
  { ahead: 64 },
  { ahead: 256 },
  // As many as bare TCP has on the way: what its socket and the kernel hold.
  { ahead: 1024, target: promised },
];

/** `stream of 120 B frames, …`. */
export const streams: CaseGroup = {
  name: "streams",
  async run(bench) {
    await using stack = new AsyncDisposableStack();
    const raw = await openPair(bench, stack, rawFiles());
    const asked = [{ pair: raw, frames: 240_000 }];
    for (const { ahead } of windows) {
      const pair = await openPair(bench, stack, banyanFiles({ streamAhead: ahead }));
      asked.push({ pair, frames: ahead === 0 ? 4000 : 240_000 });
    }
    const contestants = asked.map(({ pair, frames }) => {
      const question = { frames: bench.quick ? 200 : frames };
      return { subject: pair.client, measure: "stream", question };
    });
    const rounds = bench.quick ? { rounds: 1, warmUp: 0 } : { rounds: 13, warmUp: 3 };
    const [bare, ...ours] = await askInTurns(contestants, rounds);
    const baseline = { name: rawName, values: seriesOf(bare, "rate") };
    return windows.map(({ ahead, ...promise }, at) =>
      caseOf({
        name: `stream of 120 B frames, ${ahead} ahead`,
        unit: "frames/s",
        ours: seriesOf(ours[at], "rate"),
        baseline,
        ...promise,
      }),
    );
  },
};
