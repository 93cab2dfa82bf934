/**
 * Registries that need no engine: a file, or a name in DNS. `mesh.registry` names one as
 * `file:fleet.json` or `dns:mesh.example:7700`.
 */

import { resolve } from "node:path";
import { dnsRegistry, fileRegistry } from "@banyan/mesh";
import type { ReadOnlyRegistry } from "@banyan/mesh";

/** What is wrong with a source, and what to write. */
export interface SourceProblem {
  readonly message: string;
  readonly fix: string;
}

/** Whether the registry is one of these; an engine's name has no such beginning. */
export function isSource(registry: string): boolean {
  return /^(?:file|dns):/.test(registry);
}

/** `undefined`: it can be opened. What it says is read by the fleet. */
export function sourceProblem(registry: string): SourceProblem | undefined {
  const fix = "Write it as file:fleet.json, dns:mesh.example:7700, or dns:_mesh._tcp.example.";
  const { kind, place, port } = partsOf(registry);
  if (place === "") return { message: `mesh.registry ${registry} names no ${kind}.`, fix };
  if (kind === "file" || place.startsWith("_")) return undefined;
  if (port >= 1 && port <= 65_535) return undefined;
  return { message: `mesh.registry ${registry} lacks the port that the nodes listen on.`, fix };
}

/** A relative path begins where the node is started, as with every file that a setting names. */
export function openSource(registry: string): ReadOnlyRegistry {
  const { kind, place, port } = partsOf(registry);
  if (kind === "file") return fileRegistry({ path: resolve(place) });
  return place.startsWith("_") ? dnsRegistry({ host: place }) : dnsRegistry({ host: place, port });
}

function partsOf(registry: string): { kind: string; place: string; port: number } {
  const at = registry.indexOf(":");
  const kind = registry.slice(0, at);
  const rest = registry.slice(at + 1);
  if (kind === "file") return { kind, place: rest, port: 0 };
  const [, name = "", port = ""] = /^(.*?)(?::(\d+))?$/.exec(rest) ?? [];
  return { kind: "name", place: name, port: Number(port) };
}
