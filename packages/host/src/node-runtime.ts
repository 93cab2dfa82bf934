/** The pipeline of a node: who may call, what is remembered of calls, and its bounds. */

import { createIdSource } from "@banyan/kernel";
import type { Log, Random, Store } from "@banyan/kernel";
import { CallRuntime } from "@banyan/kernel/internal";
import type { CallRuntimeOptions } from "@banyan/kernel/internal";
import { createAdminAuthenticator, createLocalAuthorizer, openAdminToken } from "./authority.ts";
import type { NodeEngines } from "./engines.ts";
import { createIdempotencyLedger, idempotencyRecord } from "./idempotency.ts";
import type { IdempotencyRecord } from "./idempotency.ts";
import { canKeepInbox } from "./inbox.ts";
import type { NodeView } from "./node-view.ts";
import type { NodeSetup } from "./setup.ts";

/**
 * How long a claim of an idempotency key outlives the node that made it, in milliseconds: as long
 * as a repeat of what it ran is put off, and longer than a node stands still.
 */
const claimLeaseMs = 10_000;

export interface OpenRuntimeOptions extends Required<Pick<CallRuntimeOptions, "onFault">> {
  readonly engines: NodeEngines;
  readonly random: Random;
  readonly log: Log;
  readonly disposables: AsyncDisposableStack;
}

/** Opens it; closing is left on the stack of disposables. */
export async function openNodeRuntime(
  { setup, directory, clock, telemetry }: NodeView,
  { engines, random, log, disposables, onFault }: OpenRuntimeOptions,
): Promise<CallRuntime> {
  const { limits } = setup.config;
  const ids = createIdSource(clock, random);
  const token = directory === undefined ? undefined : await openAdminToken(directory);
  const runtime: CallRuntime = new CallRuntime({
    clock,
    random,
    log,
    observer: telemetry.callObserver(() => runtime.inFlight),
    onFault,
    authenticator: createAdminAuthenticator(token),
    authorizer: createLocalAuthorizer(),
    idempotency: createIdempotencyLedger({
      store: await openLedgerStore(engines, setup),
      ids,
      boot: ids.uuid(),
      lease: isShared(setup) ? { clock, leaseMs: claimLeaseMs } : undefined,
    }),
    defaultTimeoutMs: limits.callTimeoutMs,
    inFlightMax: limits.inFlightMax,
  });
  disposables.defer(() => runtime.close());
  return runtime;
}

async function openLedgerStore(
  engines: NodeEngines,
  setup: NodeSetup,
): Promise<Store<IdempotencyRecord>> {
  const { store } = await engines.openStore("node", "idempotency", {
    summary: "Answers of calls that had an idempotency key.",
    value: idempotencyRecord,
    durability: ledgerDurability(setup),
    expires: true,
  });
  const engine = await engines.durableEngine();
  // Opened at once where it can be, so that an operator finds it before it is used.
  if (canKeepInbox(engine)) await engines.openInbox(engine);
  // Opened with the very schema that the type is of.
  return store as Store<IdempotencyRecord>;
}

/** Its ledger is seen by the other nodes that have the same servers. */
function isShared({ config, engines }: NodeSetup): boolean {
  const pinned = config.engines.pins["node.idempotency"];
  return engines.get(pinned ?? config.engines.durable)?.state?.isShared === true;
}

/** Answers of calls are kept as safely as this node keeps anything. */
function ledgerDurability({ config, engines }: NodeSetup): "durable" | "ephemeral" {
  return engines.get(config.engines.durable)?.state?.kinds.state ?? "durable";
}
