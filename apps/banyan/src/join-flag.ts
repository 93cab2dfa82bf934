/**
 * `--join`: the registry of the fleet that a node joins, by the name of an engine, by the address
 * of its server, or as what is only read (`file:`, `dns:`). An address is two settings: which
 * engine, and where it is.
 */

import type { ConfigFlag } from "@banyan/kernel/internal";
import { cliErrors } from "./errors.ts";

/** Engines by the schemes of their servers' addresses. */
const engines: Readonly<Record<string, string>> = {
  redis: "redis",
  rediss: "redis",
  postgres: "postgres",
  postgresql: "postgres",
  mysql: "mysql",
  mariadb: "mysql",
};

/** As settings. @throws CLI_USAGE for an address of no engine */
export function joinFlags(registry: string | undefined): ConfigFlag[] {
  if (registry === undefined) return [];
  const named = (pointer: string, value: string): ConfigFlag => ({
    pointer,
    value,
    flag: "--join",
  });
  const scheme = /^([a-z]+):\/\//.exec(registry)?.[1];
  if (scheme === undefined) return [named("/mesh/registry", registry)];
  const engine = Object.hasOwn(engines, scheme) ? engines[scheme] : undefined;
  if (engine === undefined) {
    throw cliErrors.CLI_USAGE(`--join ${scheme}://… is no registry.`, {
      details: {
        fix: "Name an engine that all nodes share, or its server: --join redis://cache.example:6379.",
      },
    });
  }
  const address = scheme === "mariadb" ? registry.replace("mariadb:", "mysql:") : registry;
  return [named("/mesh/registry", engine), named(`/${engine}/url`, address)];
}
