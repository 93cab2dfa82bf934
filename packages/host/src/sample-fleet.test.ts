/** What the tests of fleets share: nodes of one process with a registry between them. No tests. */

import assert from "node:assert/strict";
import { systemClock } from "@banyan/kernel";
import type { ServiceDefinition, Store } from "@banyan/kernel";
import { registryOn } from "@banyan/mesh";
import type { Registry, RegistryEntry } from "@banyan/mesh";
import { memoryState, openMemoryEngine, openStore } from "@banyan/state";
import type { StateEngine } from "@banyan/state";
import { openNode } from "./node.ts";
import type { Node } from "./node.ts";
import type { NodeOptions } from "./options.ts";
import { registrySpec } from "./registry-spec.ts";
import { flagsOf } from "./sample-node.test.ts";

export const secret = "a secret of at least thirty-two characters";

/** An engine that several nodes of this process share, as they would a server. */
function shareEngine(engine: StateEngine): NodeOptions["findEngine"] {
  const shared: StateEngine = {
    name: "shared",
    durability: engine.durability,
    capabilities: engine.capabilities,
    medium: engine.medium,
    openStore: (spec) => engine.openStore(spec),
    check: () => undefined,
    close: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  const state = { ...memoryState, name: "shared", isShared: true, openState: async () => shared };
  return (name) => Promise.resolve(name === "shared" ? { state } : undefined);
}

interface Bedding extends Pick<NodeOptions, "directory" | "log"> {
  /** By pointer. */
  readonly [pointer: `/${string}`]: unknown;
}

export interface FleetBed extends AsyncDisposable {
  open(id: string, services: readonly ServiceDefinition[], bedding?: Bedding): Promise<Node>;
  /** As another node would write there. */
  registry(): Promise<Registry>;
}

/** It opens, and answers nothing. */
function silence(engine: StateEngine): StateEngine {
  const silent = async (): Promise<never> => new Promise(() => undefined);
  const openStore: StateEngine["openStore"] = async (spec) => {
    const store = await engine.openStore(spec);
    // `then` would make it a promise.
    return new Proxy(store, { get: (_, name) => (name === "then" ? undefined : silent) });
  };
  return new Proxy(engine, {
    get: (all, name) => (name === "openStore" ? openStore : Reflect.get(all, name)),
  });
}

export function openBed({ isSilent = false } = {}): FleetBed {
  const engine = openMemoryEngine({ clock: systemClock });
  const findEngine = shareEngine(isSilent ? silence(engine) : engine);
  const nodes: Node[] = [];
  return {
    async open(id, services, { directory, log, ...settings } = {}) {
      const node = await openNode({
        services,
        inMemory: true,
        ...(findEngine === undefined ? {} : { findEngine }),
        directory,
        ...(log === undefined ? {} : { log }),
        config: {
          flags: flagsOf({
            "/node/id": id,
            "/mesh/registry": "shared",
            "/mesh/secret": secret,
            "/mesh/heartbeatMs": 200,
            ...settings,
          }),
        },
      });
      nodes.push(node);
      return node;
    },
    async registry() {
      const spec = registrySpec(engine.durability);
      const store = await openStore(engine, { scope: "node", name: "mesh", spec });
      // Opened with the very schema that the type is of.
      return registryOn(store as Store<RegistryEntry>);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(nodes.map((node) => node.close()));
    },
  };
}

export const urlOf = ({ url }: Node): string => url ?? assert.fail("the node serves no HTTP");

export async function untilSo(holds: () => Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (await holds()) return;
    await systemClock.sleep(25);
  }
  assert.fail(`never came true: ${holds.toString()}`);
}
