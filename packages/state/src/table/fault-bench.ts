/**
 * What a check of faults works with: a real server, a real proxy before it, and engines on demand.
 *
 * What it owns: nothing; a check closes what it opens. What may interrupt it: the faults.
 */

import { isBanyanError, t } from "@banyan/kernel";
import type { Store } from "@banyan/kernel";
import type { StateEngine } from "../engine.ts";
import { openStore } from "../open-store.ts";
import type { TableOptions } from "./table-options.ts";

/** A server process; those of the testbed fit. */
export interface FaultServer {
  readonly url: string;
  start(): Promise<void>;
  kill(): Promise<unknown>;
  stop(): Promise<unknown>;
  pause(): unknown;
  resume(): unknown;
}

/** The way to it; the testbed's proxy fits. */
export interface FaultProxy {
  readonly connections: number;
  cut(): void;
  heal(): Promise<void>;
  stall(): void;
  resume(): void;
  dropReplies(): void;
  passReplies(): void;
  urlOf(url: string): string;
}

export interface FaultSuite {
  readonly name: string;
  readonly server: FaultServer;
  readonly proxy: FaultProxy;
  /** Opens the engine; all of them share their tables. */
  open(options: TableOptions & { readonly url: string }): Promise<StateEngine>;
  /** What opening says when there is no server. */
  readonly unreachable: string;
  /** Connections that the server has of engines. */
  connections(): Promise<number>;
  readonly seed: number;
  /** Waits, by looking. */
  until(look: () => Promise<boolean>, what: string): Promise<unknown>;
}

export interface OpenedStore extends AsyncDisposable {
  readonly engine: StateEngine;
  readonly store: Store<number>;
}

/** What a caller was told. */
export type Ending = "written" | "unknown" | "unavailable";

/** Of the engines that are opened. */
export const timeoutMs = 700;

/** One sentence about faults. */
export interface FaultCheck {
  readonly name: string;
  run(bench: FaultBench): Promise<void>;
}

export class FaultBench {
  readonly suite: FaultSuite;
  #opened = 0;

  constructor(suite: FaultSuite) {
    this.suite = suite;
  }

  get server(): FaultServer {
    return this.suite.server;
  }

  get proxy(): FaultProxy {
    return this.suite.proxy;
  }

  /** A prefix of tables that no other check has. */
  freshPrefix(): string {
    return `start${(this.#opened += 1)}_`;
  }

  /** An engine with a store; a fresh one unless it is named. */
  async open(
    options: Partial<TableOptions & { url: string; name: string }> = {},
  ): Promise<OpenedStore> {
    const { name = `store-${(this.#opened += 1)}`, ...more } = options;
    const { url } = this.server;
    const timeouts = { commandTimeoutMs: timeoutMs, connectTimeoutMs: 5000 };
    const engine = await this.suite.open({ url, ...timeouts, poolSize: 2, ...more });
    const spec = {
      value: t.Integer(),
      durability: "durable",
      expires: true,
      capabilities: ["transaction"],
    } as const;
    const store: Store<number> = await openStore(engine, { scope: "faults", name, spec });
    return { engine, store, [Symbol.asyncDispose]: () => engine.close() };
  }

  openByProxy(options: Partial<TableOptions & { name: string }> = {}): Promise<OpenedStore> {
    return this.open({ url: this.proxy.urlOf(this.server.url), ...options });
  }

  async recovered({ store, engine }: OpenedStore): Promise<void> {
    await this.suite.until(async () => {
      await engine.check();
      await store.has("key");
      return (await endingOf(store.set("recovered", 1))) === "written";
    }, "the recovery");
  }
}

/** @throws what is neither success nor the end of a server */
export async function endingOf(work: Promise<unknown>): Promise<Ending> {
  try {
    await work;
    return "written";
  } catch (error) {
    if (isBanyanError(error, "STATE_OUTCOME_UNKNOWN")) return "unknown";
    if (isBanyanError(error, "STATE_ENGINE_UNAVAILABLE")) return "unavailable";
    throw error;
  }
}
