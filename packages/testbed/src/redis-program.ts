/** Where `redis-server` is on this machine. */

import { ensurePrograms, findPrograms } from "./required-programs.ts";
import type { RequiredPrograms } from "./required-programs.ts";

/** The server alone: what tests ask it, they ask without `redis-cli`. */
export const redisPrograms: RequiredPrograms<"redis-server"> = {
  what: "Redis 6.2 or newer",
  programs: ["redis-server"],
  packages: ["redis-server"],
  elsewhere: "On macOS: brew install redis.",
};

/** The program's path, or `undefined`: nothing is installed by asking. */
export function findRedisProgram(): string | undefined {
  return findPrograms(redisPrograms)?.["redis-server"];
}

/** The program's path, installed where that is allowed (`ensurePrograms`). */
export async function ensureRedisProgram(): Promise<string> {
  return (await ensurePrograms(redisPrograms))["redis-server"];
}
