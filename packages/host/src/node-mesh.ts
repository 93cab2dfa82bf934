/**
 * The mesh of a node: that of one process, or, where configuration names a registry, its place in a
 * fleet.
 *
 * N1. Other nodes may call a service when it has started, and until the node has drained.
 * N2. A registry that is silent fails the start when its time is over. How long an engine waits for
 *     its server is its own setting, and comes before that.
 * N3. A node that cannot reach its registry goes on with those that it knows.
 */

import { networkInterfaces } from "node:os";
import type { Log, Random, Store } from "@banyan/kernel";
import type { CallRuntime } from "@banyan/kernel/internal";
import { createLocalMesh, openFleet, placeServices, registryOn } from "@banyan/mesh";
import type { Fleet, Mesh, RegistryEntry } from "@banyan/mesh";
import type { Metrics } from "@banyan/telemetry";
import type { NodeEngines } from "./engines.ts";
import { hostErrors } from "./errors.ts";
import { createFleetHealth } from "./fleet-health.ts";
import type { Probed } from "./health.ts";
import type { MeshConfig } from "./mesh-config.ts";
import { countLeft, registerMeshMetrics } from "./mesh-metrics.ts";
import { createMeshNews } from "./mesh-news.ts";
import { openMeshTls } from "./mesh-tls.ts";
import type { NewsPost } from "./news-post.ts";
import type { NodeConfig } from "./node-config.ts";
import { isSource, openSource } from "./registry-source.ts";
import { within } from "./within.ts";

/** A node among others. */
export interface NodeFleet {
  readonly fleet: Fleet;
  /** What it and the others write; `undefined`: its registry is only read. */
  readonly registry: Store<RegistryEntry> | undefined;
}

export interface NodeMesh {
  readonly mesh: Mesh;
  /** `undefined`: the node is alone. */
  readonly joined: NodeFleet | undefined;
  close(): Promise<void>;
}

/** The node whose mesh it is. */
export interface MeshedNode extends Probed {
  readonly id: string;
  readonly setup: { readonly config: NodeConfig };
  readonly telemetry: { readonly metrics: Metrics | undefined };
  readonly newsPost: NewsPost;
}

export interface OpenMeshOptions {
  readonly engines: NodeEngines;
  readonly runtime: CallRuntime;
  readonly log: Log;
  readonly random: Random;
  /** Whether a service has started. */
  readonly offers: (service: string) => boolean;
}

/** @throws MESH_LISTEN_FAILED, and what the registry's engine throws */
export async function openNodeMesh(
  meshed: MeshedNode,
  options: OpenMeshOptions,
): Promise<NodeMesh> {
  const { id: node, setup, telemetry, newsPost: post } = meshed;
  const { engines, runtime, log } = options;
  const { mesh: own, limits } = setup.config;
  const validation = limits.localValidation;
  if (own.registry === undefined) {
    const mesh = createLocalMesh({ validation });
    return { mesh, joined: undefined, close: () => mesh.close() };
  }
  const registry = isSource(own.registry) ? undefined : await openStore(own.registry, engines);
  const patience = { clock: runtime.clock, limitMs: setup.config.node.startTimeoutMs };
  if (registry !== undefined) {
    const placing = await within(patience, placeFirst(registry, own));
    if (placing.kind === "late") throw silentRegistry(own.registry, patience.limitMs);
  }
  const advertised = { host: own.advertiseHost ?? addressOf(own.host), port: own.advertisePort };
  const tell = createMeshNews({ node, post });
  const count = telemetry.metrics === undefined ? undefined : countLeft(telemetry.metrics);
  const tls =
    own.tls === undefined ? undefined : await openMeshTls(own.tls, { clock: runtime.clock, log });
  const joining = openFleet({
    node,
    app: own.app,
    cluster: own.cluster,
    registry: registry === undefined ? openSource(own.registry) : registryOn(registry, own.cluster),
    runtime,
    log: log.child({ part: "mesh" }),
    random: options.random,
    listen: { host: own.host, port: own.port },
    advertise: withoutUndefined(advertised),
    secret: own.secret,
    acceptedSecret: own.acceptedSecret,
    tls: tls?.current(),
    heartbeatMs: own.heartbeatMs,
    callsMax: own.callsMax,
    loadMax: own.loadMax,
    messageBytesMax: own.messageBytesMax,
    streamAhead: own.streamAhead,
    inProcess: own.inProcess,
    validation,
    offers: options.offers,
    health: createFleetHealth(meshed, own.heartbeatMs * 2),
    onNews(news) {
      count?.(news);
      tell(news);
    },
  });
  const joined = await within(patience, joining);
  if (joined.kind === "late") {
    joining.then((late) => late.close()).catch(() => undefined); // nobody waits for it any more
    throw silentRegistry(own.registry, patience.limitMs);
  }
  const fleet = joined.value;
  if (telemetry.metrics !== undefined) registerMeshMetrics(telemetry.metrics, fleet);
  tls?.watch((renewed) => fleet.renewTls(renewed));
  return {
    mesh: fleet.mesh,
    joined: { fleet, registry },
    async close() {
      tls?.close();
      await fleet.mesh.close();
    },
  };
}

function silentRegistry(registry: string, limitMs: number): Error {
  return hostErrors.NODE_START_FAILED(
    `The registry of the mesh, ${registry}, had not answered when ${limitMs} ms ` +
      "(node.startTimeoutMs) were over; see whether its server is well.",
    { details: { registry } },
  );
}

async function openStore(engine: string, engines: NodeEngines): Promise<Store<RegistryEntry>> {
  const { store } = await engines.openRegistry(engine);
  // Opened with the very schema that the type is of.
  return store as Store<RegistryEntry>;
}

/** What configuration places, where nobody has placed anything yet. */
async function placeFirst(
  registry: Store<RegistryEntry>,
  { mappings: apps, cluster }: MeshConfig,
): Promise<void> {
  if (Object.keys(apps).length === 0) return;
  if ((await registryOn(registry, cluster).mapping()) !== undefined) return;
  // Of the lowest epoch: whoever places services later is newer.
  await placeServices(registry, { epoch: "", version: 1, apps }, cluster);
}

/** A host under which other machines find this one. */
function addressOf(host: string): string {
  if (host !== "0.0.0.0" && host !== "::") return host;
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  const found = all.find(({ internal, family }) => !internal && family === "IPv4");
  return found?.address ?? "127.0.0.1";
}

function withoutUndefined({ host, port }: { host: string; port: number | undefined }) {
  return port === undefined ? { host } : { host, port };
}
