/**
 * A real Redis Cluster for one test: several servers that share the 16 384 slots of keys.
 *
 * What it owns: its members; each is a server of a test like any other, to be killed or paused.
 *
 * C1. When `openRedisCluster` and `untilOk` resolve, every member knows who has every slot.
 */

import { openRedisServer } from "./redis-server.ts";
import type { RedisServer, RedisServerOptions } from "./redis-server.ts";
import { until } from "./until.ts";

export interface RedisClusterOptions extends Pick<
  RedisServerOptions,
  "config" | "tls" | "startTimeoutMs"
> {
  /** How many primaries. Default 3, the fewest with a majority when one is gone. */
  readonly nodes?: number;
}

const SLOTS = 16_384;
const OK_PATIENCE_MS = 20_000;

/** Starts a cluster and waits until it is whole. Needs Redis 7. */
export async function openRedisCluster(options: RedisClusterOptions = {}): Promise<RedisCluster> {
  const { nodes: count = 3, config = {}, ...rest } = options;
  await using stack = new AsyncDisposableStack();
  const directives: Record<string, string> = {
    "cluster-node-timeout": "2000", // a test notices a dead member in seconds
    ...(rest.tls === undefined ? {} : { "tls-cluster": "yes" }),
    ...config,
  };
  const nodes: RedisServer[] = [];
  while (nodes.length < count) {
    nodes.push(stack.use(await openRedisServer({ ...rest, config: directives, cluster: true })));
  }
  const [first] = nodes;
  if (first === undefined) throw new Error("A cluster has at least one node.");
  for (const [index, node] of nodes.entries()) {
    const [from, to] = [index, index + 1].map((each) => Math.round((each * SLOTS) / count));
    await node.ask("CLUSTER", "ADDSLOTSRANGE", String(from), String(Number(to) - 1));
    // Each its own epoch from the start: none has to be found by collision.
    await node.ask("CLUSTER", "SET-CONFIG-EPOCH", String(index + 1));
  }
  for (const { address, busPort } of nodes.slice(1)) {
    if ("path" in address) continue; // a member of a cluster never listens on its socket alone
    const words = [address.host, String(address.port), String(busPort)];
    await first.ask("CLUSTER", "MEET", ...words);
  }
  const cluster = new RedisCluster(nodes);
  await cluster.untilOk();
  stack.move(); // the cluster ends its members
  return cluster;
}

/** A cluster that runs; `openRedisCluster` makes it. */
export class RedisCluster implements AsyncDisposable {
  /** In the order of their slots. */
  readonly nodes: readonly RedisServer[];

  /** Use `openRedisCluster`. */
  constructor(nodes: readonly RedisServer[]) {
    this.nodes = nodes;
  }

  /** Each member's, for clients: `redis://127.0.0.1:49152`. */
  get urls(): string[] {
    return this.nodes.map(({ url }) => url);
  }

  /** Resolves when every member that runs finds the cluster whole (C1). */
  async untilOk(): Promise<void> {
    const what = "The cluster's being whole";
    await until(() => this.#isOk(), { what, timeoutMs: OK_PATIENCE_MS });
  }

  /** The member that has a key's slot. */
  async nodeOf(key: string): Promise<RedisServer> {
    const node = this.nodes.find(({ isRunning }) => isRunning);
    if (node === undefined) throw new Error("No member of the cluster runs.");
    const slot = Number(await node.ask("CLUSTER", "KEYSLOT", key));
    const index = this.nodes.findIndex((_, at) => slot < this.#endOf(at));
    return this.nodes[index] ?? node;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map((node) => node[Symbol.asyncDispose]()));
  }

  #endOf(index: number): number {
    return Math.round(((index + 1) * SLOTS) / this.nodes.length);
  }

  async #isOk(): Promise<boolean> {
    const running = this.nodes.filter(({ isRunning }) => isRunning);
    for (const node of running) {
      const info = String(await node.ask("CLUSTER", "INFO"));
      if (!info.includes("cluster_state:ok")) return false;
      if (!info.includes(`cluster_known_nodes:${this.nodes.length}`)) return false;
      if (!info.includes(`cluster_slots_ok:${SLOTS}`)) return false;
    }
    return true;
  }
}
