/** How a host gets the engine: `engines: { durable: sqlite }`. */

import { join } from "node:path";
import { assertKnownOptions } from "@banyan/state";
import type { StateEngineProvider } from "@banyan/state";
import { configurable } from "./options.ts";
import { openSqlite, sqliteCapabilities } from "./sqlite-engine.ts";

/** Keeps durable stores in `state.db` of the data directory. */
export const sqlite: StateEngineProvider = Object.freeze({
  name: "sqlite",
  kinds: Object.freeze({ state: "durable" as const }),
  capabilities: sqliteCapabilities,
  openState: ({ directory, clock, log, metrics, options = {} }) =>
    Promise.try(() => {
      assertKnownOptions(options, configurable, "The SQLite engine's configuration");
      return openSqlite({ ...options, file: join(directory, "state.db"), clock, log, metrics });
    }),
} satisfies StateEngineProvider);
