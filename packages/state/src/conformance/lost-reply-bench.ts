/** What the sentences about lost replies work with: a proxy, clients, and how a write ended. */

import { isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import type { StateEngine } from "../engine.ts";
import { openStore } from "../open-store.ts";
import { createTransactor } from "../transaction.ts";
import type { Transactor } from "../transaction.ts";

/** The way to the server; the testbed's proxy fits. */
export interface LossyProxy {
  readonly bytesToServer: number;
  cut(): void;
  heal(): Promise<void>;
  stall(): void;
  dropReplies(): void;
}

export interface LostReplySuite {
  readonly name: string;
  readonly proxy: LossyProxy;
  /** Opens the engine through the proxy; a command takes so long at most. */
  open(commandTimeoutMs: number): Promise<StateEngine>;
  readonly seed: number;
  /** Waits, by looking. */
  until(look: () => Promise<boolean>, what: string): Promise<unknown>;
}

export interface LossyClient extends AsyncDisposable {
  readonly store: Store<number>;
  readonly transact: Transactor<{ store: Store<number> }>;
}

export type LossyEnd<A> =
  | { readonly kind: "done"; readonly answer: A }
  /** Overdue: its caller had no more time before anything was written. */
  | { readonly kind: "unknown" | "unavailable" | "overdue" };

/** A client of a store of its own, unless another has the name too. */
export async function openLossyClient(
  suite: LostReplySuite,
  name: string,
  commandTimeoutMs = 400,
): Promise<LossyClient> {
  const engine = await suite.open(commandTimeoutMs);
  const { durability } = engine;
  const spec = { value: t.Integer(), durability, capabilities: ["transaction"] } as const;
  const store: Store<number> = await openStore(engine, { scope: "lost-replies", name, spec });
  const transact = createTransactor({ engine, stores: { store } });
  await store.set("there", 1);
  return { store, transact, [Symbol.asyncDispose]: () => engine.close() };
}

/** @throws what is neither success nor the end of a server */
export async function endOf<A>(work: () => Promise<A>): Promise<LossyEnd<A>> {
  try {
    return { kind: "done", answer: await work() };
  } catch (error) {
    if (isBanyanError(error, "STATE_OUTCOME_UNKNOWN")) return { kind: "unknown" };
    if (isBanyanError(error, "STATE_ENGINE_UNAVAILABLE")) return { kind: "unavailable" };
    if (isBanyanError(error, "CALL_DEADLINE_EXCEEDED")) return { kind: "overdue" };
    throw error;
  }
}

/** How it ends when the reply to its n-th parcel is lost; `isHit`: there was such a parcel. */
export async function losing<A>(
  proxy: LossyProxy,
  { parcel, heals = false }: { readonly parcel: number; readonly heals?: boolean },
  work: () => Promise<A>,
): Promise<LossyEnd<A> & { readonly isHit: boolean }> {
  let sent = proxy.bytesToServer;
  let seen = 0;
  const waiting = new Set(["for its end"]);
  const ending = endOf(work).finally(() => waiting.clear());
  // Ends with the work, and always does: every command has its time.
  while (waiting.size > 0 && seen < parcel) {
    await turns(1);
    if (proxy.bytesToServer === sent) continue;
    sent = proxy.bytesToServer;
    seen += 1;
    if (seen < parcel) continue;
    // Now: the server cannot have answered before the event loop turns again.
    proxy.dropReplies();
    if (!heals) continue;
    await turns(200);
    await proxy.heal();
  }
  return { ...(await ending), isHit: seen === parcel };
}

export async function recover(
  { proxy, until }: LostReplySuite,
  client: LossyClient,
): Promise<void> {
  await proxy.heal();
  await until(async () => {
    const end = await endOf(() => client.store.set("recovered", 1));
    return end.kind === "done" && (await endOf(() => client.store.get("there"))).kind === "done";
  }, "the recovery");
}

export async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
