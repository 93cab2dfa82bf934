/** What all services of a node share. */

import type { Clock, Log, Random } from "@banyan/kernel";
import type { CallRuntime } from "@banyan/kernel/internal";
import type { Mesh } from "@banyan/mesh";
import type { Instruments } from "@banyan/telemetry/internal";
import type { NodeEngines } from "./engines.ts";
import type { StateNews } from "./state-news.ts";
import type { ExtensionRegistry } from "./extensions.ts";

export interface NodeParts {
  readonly runtime: CallRuntime;
  readonly mesh: Mesh;
  readonly engines: NodeEngines;
  readonly extensions: ExtensionRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** What watches stores, transactions and publishes; `undefined` where nothing does. */
  readonly instruments: Instruments | undefined;
  readonly news: StateNews;
  /** How long the node remembers what was handled once, in milliseconds. */
  readonly inboxRetentionMs: number;
}
