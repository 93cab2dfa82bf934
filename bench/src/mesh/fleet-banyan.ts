/** Two nodes of a fleet that know of each other without a store: what is measured is the wire. */

import { readFileSync } from "node:fs";
import { CallRuntime } from "@banyan/kernel/internal";
import { openFleet } from "@banyan/mesh";
import type { Fleet, InstanceRecord, PeerTls, Registry } from "@banyan/mesh";
import { ledger } from "./ledger.contract.ts";

/** Where the first node is, as one word on a command line. */
export function addressOf({ instance, address: { host, port } }: Fleet): string {
  return `${instance}@${host}:${port}`;
}

export interface OpenNode {
  readonly fleet: Fleet;
  readonly runtime: CallRuntime;
}

export interface NodeOptions {
  /** The node whose service is called, as `addressOf` says it. */
  readonly known?: string | undefined;
  readonly streamAhead?: number;
  /** Names of PEM files; without them: a secret, and nothing is encrypted. */
  readonly tls?: PeerTls | undefined;
}

export async function openNode(node: string, options: NodeOptions = {}): Promise<OpenNode> {
  const { known, streamAhead, tls } = options;
  const runtime = new CallRuntime();
  const fleet = await openFleet({
    node,
    registry: registryOf(known === undefined ? [] : [recordOf(known)]),
    runtime,
    streamAhead,
    ...(tls === undefined ? { secret: "known to all nodes of this bench" } : { tls }),
  });
  return { fleet, runtime };
}

/** From `certificate,key,authority`; nothing: no TLS. */
export function readTls(paths = ""): PeerTls | undefined {
  if (paths === "") return undefined;
  const [cert = "", key = "", ca = ""] = paths.split(",").map((path) => readFileSync(path, "utf8"));
  return { cert, key, ca, serverName: "localhost" };
}

function recordOf(known: string): InstanceRecord {
  const [instance = "", address = ""] = known.split("@");
  const [host = "", port = ""] = address.split(":");
  const services = { [ledger.name]: ledger.spec.version };
  const who = { node: "server", app: "banyan", services };
  return { ...who, instance, host, port: Number(port), status: "up", issues: [] };
}

/** A list that never changes. */
function registryOf(records: readonly InstanceRecord[]): Registry {
  const nothing = (): Promise<void> => Promise.resolve();
  return {
    write: nothing,
    changed: nothing,
    changes: () => Promise.resolve(0),
    list: () => Promise.resolve(records),
    mapping: () => Promise.resolve(undefined),
  };
}
