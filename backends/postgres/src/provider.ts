/** How a host gets the engine: `engines: { durable: postgres }`. */

import { assertKnownOptions } from "@banyan/state";
import type { StateEngineProvider } from "@banyan/state";
import { tableCapabilities } from "@banyan/state/internal";
import { configSchema } from "./config-schema.ts";
import { configurable } from "./options.ts";
import { openPostgresState } from "./postgres-engine.ts";

/** Keeps durable stores in a PostgreSQL that many nodes share. */
export const postgresState: StateEngineProvider = Object.freeze({
  name: "postgres",
  kinds: Object.freeze({ state: "durable" as const }),
  isShared: true,
  capabilities: tableCapabilities,
  config: configSchema,
  openState: ({ clock, log, options = {} }) =>
    Promise.try(() => {
      assertKnownOptions(options, configurable, "The PostgreSQL engine's configuration");
      return openPostgresState({ ...options, clock, log });
    }),
} satisfies StateEngineProvider);
