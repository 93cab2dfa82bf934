/** Rounds of the sweep over stores of which some cannot be swept. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openStore } from "@banyan/state";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import { t } from "@banyan/kernel";
import type { RedisLink } from "./link.ts";
import { resolveRedisOptions } from "./options.ts";
import { createRedisEngine } from "./redis-engine.ts";
import { createScripts } from "./scripts.ts";

const spec = { value: t.Integer(), durability: "ephemeral" } as const;

test("a store that cannot be swept keeps no other from it; a round says so once", async () => {
  const clock = new FakeClock();
  const log = createRecordingLog();
  const swept: string[] = [];
  const link: RedisLink = {
    isCluster: true,
    scripts: createScripts(),
    isReadyFor: (tag) => tag !== "away",
    ask: ({ tag = "" }) => {
      swept.push(tag);
      return tag.startsWith("bad") ? Promise.reject(new Error(tag)) : Promise.resolve(0);
    },
    check: () => Promise.resolve(),
    clients: () => [],
    close: () => Promise.resolve(),
  };
  const options = resolveRedisOptions({ clock, log, sweepIntervalMs: 1000 });
  await using engine = createRedisEngine(link, options);
  const scopes = ["bad-1", "good-1", "away", "bad-2", "good-2"];
  for (const scope of scopes) await openStore(engine, { scope, name: "s", spec });
  const asked = scopes.filter((scope) => scope !== "away");
  await clock.advance(1000);
  assert.deepEqual(swept, asked);
  await clock.advance(1000);
  assert.deepEqual(swept, [...asked, ...asked]);
  assert.deepEqual(
    log.lines.map(({ level, fields }) => [level, fields["stores"], String(fields["error"])]),
    Array.from({ length: 2 }, () => ["warn", 2, "Error: bad-1"]),
  );
});
