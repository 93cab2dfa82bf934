/**
 * A Redis whose time a test owns. The server's own clock cannot be moved, so the scripts are given
 * one that can: a number kept beside each scope, far in the future, so that nothing ends by itself.
 * When it is moved, what is due goes as the server would remove it: without a word to the index.
 */

import type { StateEngine } from "@banyan/state";
import type { StateHarness } from "@banyan/state/conformance";
import type { RedisLink } from "../link.ts";
import { resolveRedisOptions } from "../options.ts";
import type { RedisOptions } from "../options.ts";
import { createRedisEngine, openRedisLink } from "../redis-engine.ts";
import { createScripts } from "../scripts.ts";
import type { RedisScripts } from "../scripts.ts";

/** A server that is looked at beside the engine. */
export interface AskedServer {
  ask(...words: readonly string[]): Promise<unknown>;
}

const FROM_MS = 4_102_444_800_000; // the year 2100
const scope = "law"; // where the law looks at time

/** The number beside the scope of the first key; `#KEYS` is never 0. */
const movedTime = `(function()
  local clock = string.match(KEYS[1], '^.-}') .. ':clock'
  return tonumber(redis.call('GET', clock) or '${FROM_MS}')
end)()`;

const removeDue = `
for _, key in ipairs(redis.call('KEYS', '*:e:*')) do
  local over = redis.call('PEXPIRETIME', key)
  if over > 0 and tonumber(ARGV[1]) > over then redis.call('DEL', key) end
end
return redis.status_reply('OK')
`;

export interface MovedWorld {
  /** Of one server, or of each member of a Cluster. */
  readonly servers: readonly AskedServer[];
  readonly options: RedisOptions;
  /** The member that keeps the law's scope; where there is one server, that. */
  readonly keeper?: AskedServer;
  /** What stands between the engine and its server: for liars. */
  readonly between?: (link: RedisLink) => RedisLink;
  readonly scripts?: (scripts: RedisScripts) => RedisScripts;
}

/** A fresh engine on servers that are emptied first. */
export async function openMovedHarness(world: MovedWorld): Promise<StateHarness> {
  const { servers, options, keeper = servers[0] } = world;
  const { between = (link) => link, scripts = (own) => own } = world;
  await Promise.all(servers.map((server) => server.ask("FLUSHALL")));
  const resolved = resolveRedisOptions(options);
  const link = await openRedisLink(resolved, scripts(createScripts(movedTime)));
  const engine: StateEngine = createRedisEngine(between(link), resolved);
  let now = FROM_MS;
  return {
    engine,
    advance: async (ms) => {
      now += ms;
      await keeper?.ask("SET", `banyan:{${scope}}:clock`, String(now));
      await keeper?.ask("EVAL", removeDue, "0", String(now));
    },
    close: () => engine.close(),
  };
}
