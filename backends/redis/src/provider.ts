/** How a host gets the engine: `engines: { ephemeral: redis }`. */

import { assertKnownOptions } from "@banyan/state";
import type { StateEngineProvider } from "@banyan/state";
import { configSchema } from "./config-schema.ts";
import { configurable } from "./options.ts";
import { openRedis, redisCapabilities } from "./redis-engine.ts";

/** Keeps ephemeral stores on Redis. */
export const redisState: StateEngineProvider = Object.freeze({
  name: "redis",
  kinds: Object.freeze({ state: "ephemeral" as const }),
  isShared: true,
  capabilities: redisCapabilities,
  config: configSchema,
  openState: ({ clock, log, options = {} }) =>
    Promise.try(() => {
      assertKnownOptions(options, configurable, "The Redis engine's configuration");
      return openRedis({ ...options, clock, log });
    }),
} satisfies StateEngineProvider);
