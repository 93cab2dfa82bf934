/** A node as its parts see it: what is read of it, and nothing that changes it. */

import type { BanyanError, Clock } from "@banyan/kernel";
import type { NodeEngines } from "./engines.ts";
import type { NodePhase } from "./health.ts";
import type { NodeFleet } from "./node-mesh.ts";
import type { NodeLog } from "./node-log.ts";
import type { NodeTelemetry } from "./node-telemetry.ts";
import type { ServiceInstance } from "./service-instance.ts";
import type { NodeSetup } from "./setup.ts";
import type { NewsPost } from "./news-post.ts";

/** What the parts of a node are told about it. */
export interface NodeView {
  readonly id: string;
  readonly url: string | undefined;
  readonly phase: NodePhase;
  /** Why the node ends itself; `undefined`: it does not. */
  readonly failure: BanyanError | undefined;
  readonly version: string;
  readonly startedAtMs: number;
  readonly setup: NodeSetup;
  readonly instances: readonly ServiceInstance[];
  readonly engines: NodeEngines | undefined;
  /** `undefined`: the node is alone, or not that far. */
  readonly joined: NodeFleet | undefined;
  readonly directory: string | undefined;
  readonly telemetry: NodeTelemetry;
  readonly newsPost: NewsPost;
  /** The log that the node made itself; `undefined` where the program handed one in. */
  readonly ownLog: NodeLog["own"];
  readonly clock: Clock;
  /** Aborted when the node begins to stop: what never ends by itself ends then. */
  readonly stopping: AbortSignal;
}
