/** Takes everything out of a store, whatever it is: nothing is held against a schema. */

import type { Waiting } from "@banyan/kernel";
import type { StateEngine, StoreName } from "./engine.ts";

const DELETED_AT_ONCE = 500;

export async function emptyStore(
  engine: StateEngine,
  { scope, name }: StoreName,
  waiting: Waiting,
): Promise<void> {
  const { durability } = engine;
  const store = await engine.openStore({ scope, name, durability, capabilities: new Set() });
  for (;;) {
    const page = { prefix: "", after: undefined, limit: DELETED_AT_ONCE };
    const entries = await store.scan(page, waiting);
    if (entries.length === 0) return;
    await store.deleteMany(
      entries.map(({ key }) => key),
      waiting,
    );
  }
}
