/**
 * What an engine on a table does when its server, or the way to it, fails: the same sentences for
 * every database, on a real server and behind a real proxy, which the suite hands in.
 */

import { describe, it } from "node:test";
import { FaultBench } from "./fault-bench.ts";
import type { FaultSuite } from "./fault-bench.ts";
import { lineChecks } from "./fault-line-checks.ts";
import { nodeChecks } from "./fault-node-checks.ts";
import { serverChecks } from "./fault-server-checks.ts";

export type { FaultProxy, FaultServer, FaultSuite } from "./fault-bench.ts";

/** Registers the sentences with `node:test`, in an order that ends with a server that runs. */
export function describeTableFaults(suite: FaultSuite): void {
  const bench = new FaultBench(suite);
  void describe(`faults of ${suite.name}`, () => {
    for (const { name, run } of [...nodeChecks, ...serverChecks, ...lineChecks]) {
      void it(name, () => run(bench));
    }
  });
}
