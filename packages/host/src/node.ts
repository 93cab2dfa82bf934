/**
 * A node: the services of one process, from start to stop.
 *
 *   starting ──▶ ready ──▶ draining ──▶ stopped
 *       └───────────── draining ─────────┘
 *
 * Start: decide, load and plan (`setup.ts`, nothing opened) → open engines (while a server is not
 * there, `waiting-room.ts` answers for the node) → build every service in order → serve health →
 * start hooks → subscribe → relay → ready → background work. In a fleet a service is open to other
 * nodes when it has started, and the node is ready when they have had the time to read of it.
 * Stop: other nodes are told → background work and calls end → it leaves the fleet → the bus hands
 * out what it accepted → stop hooks in reverse order → everything that was opened is closed, last
 * first. All of it within `node.stopTimeoutMs`, and a second more for each part that hangs.
 *
 * What it owns: everything opened on the way, on one stack of disposables.
 * What may interrupt it: a failure anywhere in the start, or the program's signal; then `close` at
 * any moment.
 *
 * I1. A failed start leaves nothing open and nothing running.
 * I2. No call from outside reaches a handler before `ready` (from other nodes: before its service
 *     has started), and none begins after `draining`, but what other nodes had sent by then.
 * I3. What is in flight when draining begins is finished, or told after the bound that it was not.
 * I4. `close` is idempotent and always ends.
 * I5. A part that finds that the node should end is told of once: on the log, by `failed`, and on
 *     the page of its readiness. The node then stops as by `close`.
 */

import { isBanyanError, TaskGroup } from "@banyan/kernel";
import type { AnyContract, BanyanError, Client, Clock, Log, LogFields } from "@banyan/kernel";
import type { ServiceDefinition } from "@banyan/kernel";
import { kernelErrors, toBanyanError } from "@banyan/kernel/internal";
import type { CallRuntime } from "@banyan/kernel/internal";
import type { Fleet, Mesh } from "@banyan/mesh";
import { subscribeHandlers } from "@banyan/messaging";
import type { DrainReport, EventHandlers } from "@banyan/messaging";
import { drainBuses } from "./drain-buses.ts";
import { openEngines } from "./engines.ts";
import type { NodeEngines } from "./engines.ts";
import { hostErrors } from "./errors.ts";
import { ExtensionRegistry } from "./extensions.ts";
import { probeReadiness } from "./health.ts";
import type { NodePhase } from "./health.ts";
import { instrumentsOf } from "./instruments.ts";
import { openHttp } from "./node-http.ts";
import { openNodeMesh } from "./node-mesh.ts";
import type { NodeFleet, NodeMesh } from "./node-mesh.ts";
import { openNodeRuntime } from "./node-runtime.ts";
import { startServices } from "./start-services.ts";
import { adviseFleet } from "./fleet-advice.ts";
import { openNodeLog } from "./node-log.ts";
import type { NodeLog } from "./node-log.ts";
import { nodeIdOf, RunningTelemetry } from "./node-telemetry.ts";
import type { NodeTelemetry } from "./node-telemetry.ts";
import type { NodeView } from "./node-view.ts";
import { defineNodeService } from "./node-service.ts";
import type { NodeDirectory, NodeOptions, ResolvedNodeOptions, ServiceSource } from "./options.ts";
import { resolveNodeOptions } from "./options.ts";
import type { ServiceInstance } from "./service-instance.ts";
import { assertSetup, serviceConfig, setUpNode } from "./setup.ts";
import type { NodeSetup } from "./setup.ts";
import {
  registerBusMetrics,
  registerLogMetrics,
  registerNodeMetrics,
  registerOutboxMetrics,
} from "./telemetry-metrics.ts";
import { within } from "./within.ts";
import { FaultNews } from "./fault-news.ts";
import { NewsPost } from "./news-post.ts";
import { StateNews } from "./state-news.ts";
import { createWaitingRoom } from "./waiting-room.ts";
import type { WaitingRoom } from "./waiting-room.ts";
import { buildService } from "./wiring.ts";

/** A running node. */
export interface Node extends AsyncDisposable {
  readonly id: string;
  /** Where it serves HTTP; `undefined` when it does not. */
  readonly url: string | undefined;
  readonly phase: NodePhase;
  readonly setup: NodeSetup;
  readonly startedAtMs: number;
  /** Its place among others; `undefined`: it is alone. */
  readonly fleet: Pick<Fleet, "instance" | "address" | "instances"> | undefined;
  /**
   * A typed client of a service of this node, as the program itself: whoever holds the node may do
   * everything, so these calls are not authorized, and a draining node still takes them.
   */
  client<C extends AnyContract>(contract: C): Client<C>;
  /**
   * Resolves when a part has found that this run should end and another begin, such as a bus whose
   * server is away for too long. The node has begun to stop by then; the program waits for `close`
   * and ends with a code that has its supervisor start it again.
   */
  readonly failed: Promise<BanyanError>;
  /** Drains and stops, within `node.stopTimeoutMs`. Idempotent. */
  close(): Promise<void>;
  /** What its buses left behind when it was closed; nothing until then. */
  readonly drained: DrainReport;
}

/**
 * Starts a node. Resolves when it is ready.
 *
 * @throws NODE_START_REFUSED with everything that is wrong with services and configuration.
 * @throws NODE_START_FAILED when a service or an engine fails; what had started is stopped again.
 */
export async function openNode(options: NodeOptions): Promise<Node> {
  const resolved = resolveNodeOptions(options);
  const setup = await setUpNode(resolved);
  assertSetup(setup);
  const node = new RunningNode(resolved, setup);
  try {
    await node.start();
  } catch (error) {
    await node.close();
    throw isBanyanError(error) ? error : startFailure("The node could not start", error);
  }
  return node;
}

/** How long a part that was told to end may hang when the stop's own time is over. */
const hangMs = 1000;

class RunningNode implements Node, NodeView {
  readonly id: string;
  readonly setup: NodeSetup;
  readonly startedAtMs: number;
  readonly telemetry: NodeTelemetry;
  readonly newsPost: NewsPost;
  readonly news: StateNews;
  readonly #faultNews: FaultNews;
  readonly #watching: RunningTelemetry;
  readonly #options: ResolvedNodeOptions;
  readonly #disposables = new AsyncDisposableStack();
  readonly #log: Log;
  readonly #nodeLog: NodeLog;
  readonly #tasks: TaskGroup;
  /** Tells start hooks that nobody waits for them any more. */
  readonly #stopping = new AbortController();
  #directory: NodeDirectory | undefined;
  #runtime: CallRuntime | undefined;
  #engines: NodeEngines | undefined;
  #mesh: NodeMesh | undefined;
  readonly #instances: ServiceInstance[] = [];
  #phase: NodePhase = "starting";
  #url: string | undefined;
  #closing: Promise<void> | undefined;
  #drained: DrainReport = { unhandled: 0, lost: 0 };
  readonly #failing = Promise.withResolvers<BanyanError>();
  #failure: BanyanError | undefined;

  constructor(options: ResolvedNodeOptions, setup: NodeSetup) {
    const { clock, random } = options;
    this.#options = options;
    this.setup = setup;
    this.id = nodeIdOf(setup.config.node.id, clock, random);
    this.startedAtMs = clock.nowMs();
    this.#nodeLog = openNodeLog(options, setup.config.log, this.#disposables);
    this.#log = this.#nodeLog.log.child({ node: this.id });
    this.#watching = new RunningTelemetry({
      config: setup.config.telemetry,
      node: { id: this.id, version: options.version },
      clock,
      random,
      log: this.#log,
    });
    this.telemetry = this.#watching;
    this.newsPost = new NewsPost(this.#log);
    const telling = { node: this.id, clock, random, post: this.newsPost };
    this.news = new StateNews({ config: setup.config.state, ...telling });
    this.#faultNews = new FaultNews({ config: setup.config.faultEvents, ...telling });
    this.#tasks = new TaskGroup({
      onFailure: (error, service) => this.#log.error("background work failed", { service, error }),
    });
  }

  get url(): string | undefined {
    return this.#url;
  }

  get phase(): NodePhase {
    return this.#phase;
  }

  get version(): string {
    return this.#options.version;
  }

  get directory(): string | undefined {
    return this.#directory?.path;
  }

  get clock(): Clock {
    return this.#options.clock;
  }

  get instances(): readonly ServiceInstance[] {
    return this.#instances;
  }

  get engines(): NodeEngines | undefined {
    return this.#engines;
  }

  get fleet(): Fleet | undefined {
    return this.joined?.fleet;
  }

  get joined(): NodeFleet | undefined {
    return this.#mesh?.joined;
  }

  get ownLog(): NodeLog["own"] {
    return this.#nodeLog.own;
  }

  get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  get failed(): Promise<BanyanError> {
    return this.#failing.promise;
  }

  get failure(): BanyanError | undefined {
    return this.#failure;
  }

  client<C extends AnyContract>(contract: C): Client<C> {
    return this.#openMesh.client(contract, { caller: "program" });
  }

  async start(): Promise<void> {
    const { clock, random, inMemory, openDirectory, signal } = this.#options;
    if (openDirectory !== undefined) {
      this.#directory = this.#disposables.use(await openDirectory());
    }
    const { metrics } = this.telemetry;
    const waitedFor = new Set<string>();
    const waitingRoom = this.#openWaitingRoom(waitedFor);
    await this.#watching.open(this.#disposables, hangMs);
    const engines = await openEngines({
      node: this.id,
      setup: this.setup,
      disposables: this.#disposables,
      directory: this.directory,
      inMemory,
      clock,
      random,
      log: this.#log,
      telemetry: this.telemetry,
      news: this.news,
      onDeadLetter: (bus, letter) => this.#faultNews.messageBuried(bus, letter),
      signal,
      onFatal: (error) => this.#fail(error),
      onWaiting(engine) {
        waitedFor.add(engine);
        waitingRoom.open();
      },
    });
    this.#engines = engines;
    if (metrics !== undefined) {
      registerNodeMetrics(metrics, this);
      registerBusMetrics(metrics, { engines, clock });
      registerOutboxMetrics(metrics, engines);
      if (this.ownLog !== undefined) registerLogMetrics(metrics, this.ownLog);
    }
    this.#assertWanted();
    const runtime = await openNodeRuntime(this, {
      engines,
      random,
      log: this.#log,
      disposables: this.#disposables,
      onFault: (call, failure) => this.#faultNews.callFailed(call, failure),
    });
    this.#runtime = runtime;
    this.#mesh = await openNodeMesh(this, {
      engines,
      runtime,
      log: this.#log,
      random,
      offers: (service) => this.#hasStarted(service),
    });
    if (this.fleet !== undefined) adviseFleet(this.setup, this.fleet, this.#log);
    await this.#build(engines, runtime);
    this.#assertWanted();
    await waitingRoom.close();
    this.#url = await this.#openHttp(runtime);
    await this.#startServices();
    await this.#subscribe(engines, runtime);
    this.#assertWanted();
    // Ready is what other nodes can call: a rolling restart goes on to the next one then.
    await this.fleet?.settled();
    // Not before there is somebody to collect what other runs left behind.
    for (const relay of engines.relays.values()) relay.start();
    this.#phase = "ready";
    for (const instance of this.#instances) instance.run(this.#tasks);
    this.#log.info("node ready", { url: this.#url, services: this.#instances.length });
  }

  get drained(): DrainReport {
    return this.#drained;
  }

  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** I5. During a start nothing is closed under it: its next step ends it. */
  #fail(cause: Error): void {
    if (this.#failure !== undefined || this.#closing !== undefined) return;
    const error = toBanyanError(cause);
    this.#failure = error;
    this.#log.error("the node cannot go on and stops, to be started again", { error });
    this.#failing.resolve(error);
    if (this.#phase === "ready") void this.close();
  }

  async #build(engines: NodeEngines, runtime: CallRuntime): Promise<void> {
    const { clock, random } = this.#options;
    const { setup } = this;
    const extensions = new ExtensionRegistry(setup.order, this.#log);
    const { inboxRetentionMs } = setup.config.limits;
    const mesh = this.#openMesh;
    const shared = { runtime, mesh, engines, clock, random, log: this.#log };
    const instruments = instrumentsOf(this.telemetry);
    const { news } = this;
    const parts = { ...shared, extensions, inboxRetentionMs, instruments, news };
    const own = defineNodeService(this);
    const loaded = [{ definition: own, source: ownSource(own) }, ...setup.services];
    for (const contract of setup.order) {
      const service = loaded.find(({ definition }) => definition.contract === contract);
      if (service === undefined) continue;
      const config = serviceConfig(setup.resolution, contract.name);
      const instance = await buildService(service, config, parts).catch((cause: unknown) => {
        throw startFailure(`The service "${contract.name}" could not be built`, cause);
      });
      this.#instances.push(instance);
      mesh.provide({ contract, runners: instance.runners });
    }
  }

  /** Open from the moment in which there is something to provide. */
  get #openMesh(): Mesh {
    if (this.#mesh !== undefined) return this.#mesh.mesh;
    throw hostErrors.NODE_STARTING("The node is not that far.");
  }

  #hasStarted(service: string): boolean {
    const instance = this.#instances.find(({ name }) => name === service);
    return instance?.state === "running" || instance?.state === "stopping";
  }

  #openWaitingRoom(waitedFor: Iterable<string>): WaitingRoom {
    const { instances, clock } = this;
    const room = createWaitingRoom({
      config: this.setup.config.http,
      clock,
      log: this.#log,
      readiness: () =>
        probeReadiness({ phase: this.phase, instances, engines: this.engines, waitedFor, clock }),
    });
    return this.#disposables.use(room);
  }

  async #openHttp(runtime: CallRuntime): Promise<string | undefined> {
    if (!this.setup.config.http.enabled) return undefined;
    const http = await openHttp(this, {
      runtime,
      log: this.#log,
      assertOpen: (operation) => this.#assertOpen(operation),
      disposables: this.#disposables,
    });
    return http.url;
  }

  /** I2: health pages are served from the start, operations are not. */
  #assertOpen(operation: string): void {
    const isDrained = this.fleet?.isDraining === true && !operation.startsWith("node.");
    if (this.#phase === "ready" && !isDrained) return;
    if (this.#phase === "starting") {
      throw hostErrors.NODE_STARTING("The node is starting; try again in a moment.", {
        retryAfterMs: 500,
      });
    }
    throw kernelErrors.NODE_DRAINING("The node is stopping and takes no new calls.", {
      retryAfterMs: 1000,
    });
  }

  async #startServices(): Promise<void> {
    const { clock, signal } = this.#options;
    await startServices({
      instances: this.#instances,
      fleet: this.fleet,
      clock,
      log: this.#log,
      limitMs: this.setup.config.node.startTimeoutMs,
      signal,
      stopping: this.stopping,
      assertWanted: () => this.#assertWanted(),
    });
  }

  /** The program may lose interest at any moment of a start. @throws NODE_START_FAILED */
  #assertWanted(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#options.signal?.aborted !== true) return;
    throw hostErrors.NODE_START_FAILED("The start was cancelled before the node was ready.");
  }

  async #subscribe(engines: NodeEngines, runtime: CallRuntime): Promise<void> {
    const buses = { durable: engines.bus, ephemeral: engines.ephemeralBus };
    for (const { contract, parts } of this.#instances) {
      if (contract.spec.subscriptions === undefined) continue;
      // Each was typed by its own event in defineService; the bus reads it by the same schema.
      const handlers = (parts.subscriptions ?? {}) as EventHandlers;
      const subscriptions = await subscribeHandlers(contract, handlers, {
        bus: buses,
        runtime,
      });
      this.#disposables.use(subscriptions);
    }
  }

  /** Never throws (I4): what fails or hangs is logged, and the rest is closed all the same. */
  async #stop(): Promise<void> {
    const { clock } = this.#options;
    const deadlineMs = clock.monotonicMs() + this.setup.config.node.stopTimeoutMs;
    const leftMs = (): number => Math.max(0, deadlineMs - clock.monotonicMs());
    const end = async (what: string, work: () => Promise<unknown>, fields?: LogFields) => {
      try {
        const patience = { clock, limitMs: Math.max(leftMs(), hangMs) };
        const { kind } = await within(patience, Promise.try(work));
        if (kind === "late") this.#log.error(`${what} did not end`, fields);
      } catch (error) {
        this.#log.error(`${what} failed`, { ...fields, error });
      }
    };
    this.#phase = "draining";
    this.#stopping.abort(kernelErrors.NODE_DRAINING("The node is stopping."));
    for (const instance of this.#instances) instance.drain();
    await Promise.all([this.#endTasks(leftMs()), this.#drainCalls(leftMs)]);
    // What it tells of that is on the bus at once; a registry that hangs must not cost the drain.
    const left = { clock, limitMs: hangMs };
    await end("leaving the fleet", () => within(left, Promise.resolve(this.fleet?.leave())));
    await end("draining the buses", async () => {
      this.#drained = await drainBuses({ engines: this.#engines, clock, leftMs });
    });
    for (const instance of this.#instances.toReversed()) {
      await end("stop hook", () => instance.stop(), { service: instance.name });
    }
    await end("leaving the mesh", async () => this.#mesh?.close());
    await end("closing", () => this.#disposables.disposeAsync());
    this.#phase = "stopped";
  }

  async #endTasks(limitMs: number): Promise<void> {
    const { kind } = await within({ clock: this.clock, limitMs }, this.#tasks.close());
    if (kind === "late") this.#log.warn("background work did not end", { count: this.#tasks.size });
  }

  /** I3. */
  async #drainCalls(leftMs: () => number): Promise<void> {
    const runtime = this.#runtime;
    if (runtime === undefined) return;
    // What other nodes sent before they read that this one leaves still comes in, and is finished.
    const patience = new AbortController();
    const leaving = this.fleet?.drain(patience);
    if (leaving !== undefined) await within({ clock: this.clock, limitMs: leftMs() }, leaving);
    patience.abort();
    runtime.startDraining();
    const drained = await within({ clock: this.clock, limitMs: leftMs() }, runtime.idle());
    if (drained.kind === "done") return;
    const reason = kernelErrors.NODE_DRAINING(
      "The node stopped before the call was finished; whether it took effect is not known.",
      { retryable: false },
    );
    const count = runtime.abortAll(reason);
    this.#log.warn("calls were cut off by the stop", { count });
  }
}

function ownSource(definition: ServiceDefinition): ServiceSource {
  const load = (): Promise<ServiceDefinition> => Promise.resolve(definition);
  return { name: "node", layer: "L0", from: "the host", load };
}

function startFailure(what: string, cause: unknown): Error {
  if (isBanyanError(cause, "NODE_START_FAILED")) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  return hostErrors.NODE_START_FAILED(`${what}: ${reason}`, { cause });
}
