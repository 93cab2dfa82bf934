/**
 * Names of engines to their code. Backends that come with the command have short names; any other
 * name is a module, so nobody needs a permission to write one.
 */

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { EngineModule, NodeOptions } from "@banyan/host";

type FindEngine = NonNullable<NodeOptions["findEngine"]>;

/** Short names; what they stand for is loaded when the configuration names it. */
const shortNames: Readonly<Record<string, () => Promise<unknown>>> = {
  rabbitmq: () => import("@banyan/rabbitmq"),
  redis: () => import("@banyan/redis"),
  sqlite: () => import("@banyan/sqlite"),
  postgres: () => import("@banyan/postgres"),
  mysql: () => import("@banyan/mysql"),
};

/** Finds engines for a node whose configuration stands in `base`. */
export function createEngineFinder(base: string): FindEngine {
  return async (name) => {
    const short = Object.hasOwn(shortNames, name) ? shortNames[name] : undefined;
    return enginesOf(await (short?.() ?? importFrom(base, name)), name);
  };
}

/** A path is relative to the configuration, a package is one installed beside it. */
async function importFrom(base: string, name: string): Promise<unknown> {
  const path = createRequire(join(base, "package.json")).resolve(name);
  const exported: unknown = await import(pathToFileURL(path).href);
  return exported;
}

/** What a module exports that has the shape of a provider; the node judges what it does. */
function enginesOf(exported: unknown, name: string): EngineModule | undefined {
  const values = isRecord(exported) ? Object.values(exported) : [];
  const state = values.find(isStateProvider);
  const bus = values.find(isBusProvider);
  if (state === undefined && bus === undefined) return undefined;
  // The configuration's name is the one that people know it by; its settings stand under its own.
  return {
    section: state?.name ?? bus?.name,
    ...(state === undefined ? {} : { state: { ...state, name } }),
    ...(bus === undefined ? {} : { bus: { ...bus, name } }),
  };
}

function isStateProvider(value: unknown): value is NonNullable<EngineModule["state"]> {
  return isRecord(value) && typeof value["openState"] === "function" && isRecord(value["kinds"]);
}

function isBusProvider(value: unknown): value is NonNullable<EngineModule["bus"]> {
  return isRecord(value) && typeof value["openBus"] === "function";
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}
