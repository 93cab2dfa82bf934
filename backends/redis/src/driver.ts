/** The driver as it is used here: a socket that logs in and comes back. The rest of it is off. */

import { Redis } from "ioredis";
import type { RedisOptions as DriverOptions } from "ioredis";
import { backoffMs } from "@banyan/kernel";
import type { ResolvedRedisOptions } from "./options.ts";

const reconnect = { initialMs: 50, maxMs: 1000 };

export function createDriver(
  options: DriverOptions,
  { random, commandTimeoutMs }: ResolvedRedisOptions,
): Redis {
  return new Redis({
    ...options,
    lazyConnect: true,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false, // a lost reply is no lost write
    maxRetriesPerRequest: 0, // what is sent beside us ends with its socket as well
    connectTimeout: commandTimeoutMs,
    retryStrategy: (times) => Math.ceil(10 + backoffMs(times, random, reconnect)),
  });
}

/** What the driver says of a socket that is gone, when the reason was told before. */
export function isEcho(error: unknown): boolean {
  const said = error instanceof Error ? error.message : "";
  return /^(?:Stream isn't writeable|Connection is closed|Reached the max retries)/.test(said);
}
