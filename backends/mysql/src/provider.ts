/** How a host gets the engine: `engines: { durable: mysql }`. */

import { assertKnownOptions } from "@banyan/state";
import type { StateEngineProvider } from "@banyan/state";
import { tableCapabilities } from "@banyan/state/internal";
import { configSchema } from "./config-schema.ts";
import { configurable } from "./options.ts";
import { openMysqlState } from "./mysql-engine.ts";

/** Keeps durable stores in a MariaDB or MySQL that many nodes share. */
export const mysqlState: StateEngineProvider = Object.freeze({
  name: "mysql",
  kinds: Object.freeze({ state: "durable" as const }),
  isShared: true,
  capabilities: tableCapabilities,
  config: configSchema,
  openState: ({ clock, log, options = {} }) =>
    Promise.try(() => {
      assertKnownOptions(options, configurable, "The MySQL engine's configuration");
      return openMysqlState({ ...options, clock, log });
    }),
} satisfies StateEngineProvider);
