/** Subject: a node on SQLite that serves the greeter over HTTP. Argument: data directory. */

import { openNode } from "@banyan/host";
import { silentLog } from "@banyan/kernel";
import { openDataDirectory, sqlite, sqliteBus } from "@banyan/sqlite";
import { cpuSince } from "../cpu-time.ts";
import { serveMeasures } from "../subject.ts";
import { numberOf } from "../rates.ts";
import { audienceService, greeterService } from "./greet.contract.ts";

const [directory = ""] = process.argv.slice(2);
let heard = 0;
let onHeard: (() => void) | undefined;
const audience = audienceService(() => {
  heard += 1;
  onHeard?.();
});
const node = await openNode({
  services: [greeterService, audience],
  directory: () => openDataDirectory(directory),
  findEngine: async (name) => (name === "sqlite" ? { state: sqlite, bus: sqliteBus } : undefined),
  config: { flags: [{ flag: "bench", pointer: "/http/port", value: 0 }] },
  log: silentLog,
});

serveMeasures(
  {
    cpu: cpuSince(),
    /** Waits until that many more greetings were heard; how long that took. */
    settle: async (question) => {
      const startedMs = performance.now();
      const wanted = numberOf(question, "requests");
      await new Promise<void>((resolve) => {
        onHeard = () => {
          if (heard >= wanted) resolve();
        };
        onHeard();
      });
      heard -= wanted;
      return { settleMs: performance.now() - startedMs };
    },
  },
  { url: `${node.url}/greeter/greet` },
);
