/** A project of many services with stores, generated: each a contract and code of its own. */

import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TemporaryDirectory } from "@banyan/testbed";
import { makeProjectFolder } from "../project-folder.ts";

export const crowd = { services: 54, stores: 107 } as const;

/** Its durable stores are on the one server, its ephemeral ones on the other. */
export interface Servers {
  readonly postgres: { readonly url: string };
  readonly redis: { readonly url: string };
  /** Connections that read. Default: the engine's own. */
  readonly poolSize?: number;
}

/** @param servers left out: the engines that a node has by itself */
export async function makeCrowdedFolder(
  servers: Servers | undefined,
  fromSource: boolean,
): Promise<TemporaryDirectory> {
  const folder = await makeProjectFolder(fromSource);
  if (servers !== undefined) {
    const { postgres, redis, poolSize } = servers;
    const configuration = {
      engines: { durable: "postgres", ephemeral: "redis" },
      postgres: { url: postgres.url, ...(poolSize === undefined ? {} : { poolSize }) },
      redis: { url: redis.url },
    };
    await writeFile(folder.join("banyan.yaml"), JSON.stringify(configuration));
  }
  for (let index = 0; index < crowd.services; index += 1) {
    await addService(folder.path, serviceAt(index), index * 2 + 2 <= crowd.stores);
  }
  return folder;
}

export function serviceAt(index: number): string {
  return `crowd-${String(index + 1).padStart(2, "0")}`;
}

/** Two stores each, one durable and one ephemeral; the last has the durable one alone. */
async function addService(project: string, name: string, hasBoth: boolean): Promise<void> {
  const folder = join(project, "services", name);
  await mkdir(folder, { recursive: true });
  const manifest = {
    name,
    private: true,
    type: "module",
    banyan: { service: name, layer: "L4", module: "./service.js" },
  };
  await writeFile(join(folder, "package.json"), JSON.stringify(manifest));
  await writeFile(join(folder, "contract.js"), contractCode(name, hasBoth));
  await writeFile(join(folder, "service.js"), serviceCode);
}

function contractCode(name: string, hasBoth: boolean): string {
  return `import { defineContract, t } from "@banyan/kernel";

const item = t.Object({
  label: t.String({ minLength: 1, maxLength: 64 }),
  count: t.Integer({ minimum: 0 }),
  tags: t.Array(t.String({ maxLength: 32 })),
});

export const contract = defineContract("${name}", {
  summary: "Keeps items.",
  version: "1.0.0",
  stores: {
    items: { durability: "durable", value: item },
    ${hasBoth ? 'recent: { durability: "ephemeral", expires: true, value: item },' : ""}
  },
  events: { kept: item },
  operations: {
    keep: {
      summary: "Keep one item.",
      access: "anonymous",
      request: t.Object({ key: t.String({ minLength: 1 }), item }),
      response: t.Object({}),
    },
    find: {
      summary: "Find one item.",
      access: "anonymous",
      request: t.Object({ key: t.String({ minLength: 1 }) }),
      response: t.Object({ items: t.Array(item) }),
    },
  },
});
`;
}

const serviceCode = `import { defineService } from "@banyan/kernel";
import { contract } from "./contract.js";

export default defineService(contract, ({ stores, publish }) => ({
  operations: {
    async keep({ key, item }, call) {
      for (const store of Object.values(stores)) await store.set(key, item, call);
      await publish("kept", item);
      return {};
    },
    async find({ key }, call) {
      const found = await Promise.all(Object.values(stores).map((store) => store.get(key, call)));
      return { items: found.filter((item) => item !== undefined) };
    },
  },
}));
`;
