/**
 * A node of a fleet: its mesh, its connections and its place in the registry, as one.
 *
 * What it owns: all of them, from `openFleet` to `close`.
 * What may interrupt it: the registry, the network, the other nodes.
 *
 * F1. A node is in the registry only while it takes calls: it joins when its first service is
 *     there, says that it drains before it refuses anything, and is taken out when it is done.
 * F2. An instance that cannot be reached is not called until the registry says something new of it.
 */

import type { AnyContract, Client, Log, Random, Waiting } from "@banyan/kernel";
import { createIdSource, isBanyanError, silentLog, systemRandom } from "@banyan/kernel";
import { kernelErrors, toBanyanError } from "@banyan/kernel/internal";
import type { CallRuntime } from "@banyan/kernel/internal";
import { Balancer } from "./balancer.ts";
import { assertFleetBounds } from "./fleet-bounds.ts";
import { FleetMesh } from "./fleet-mesh.ts";
import { LoadMeter, openProcessReader } from "./load-meter.ts";
import type { LoadFigures } from "./load-meter.ts";
import { heartbeatsOfLease, Membership } from "./membership.ts";
import type { Registry } from "./registry.ts";
import type { ReadOnlyRegistry } from "./read-only-registry.ts";
import { SeedRegistry } from "./seed-registry.ts";
import type { ClientOptions, Endpoint, Mesh } from "./mesh.ts";
import type { LocalMeshOptions } from "./options.ts";
import { unavailableError } from "./provided-services.ts";
import type { RemoteOperation } from "./remote-endpoint.ts";
import { defaultApp, RouteTable } from "./route-table.ts";
import type { InstanceRecord, Mapping } from "./instance-record.ts";
import { StatusWatch } from "./status-watch.ts";
import type { HealthReport } from "./status-watch.ts";
import { Roster } from "./roster.ts";
import type { FleetNews } from "./roster.ts";
import { Peers } from "./wire/peers.ts";
import type { PeerTls } from "./wire/peers.ts";

export interface FleetOptions {
  /** The node's id; it may keep it over its runs. */
  readonly node: string;
  /** Which app it is an instance of. Default `banyan`. */
  readonly app?: string | undefined;
  /** Nodes of another cluster are refused. Default `banyan`. */
  readonly cluster?: string | undefined;
  /** Where nodes find each other: all of a fleet by the same one. */
  readonly registry: Registry | ReadOnlyRegistry;
  readonly runtime: CallRuntime;
  readonly log?: Log | undefined;
  readonly random?: Random | undefined;
  /** Where it listens. Default `127.0.0.1`, a free port. */
  readonly listen?: { readonly host?: string; readonly port?: number } | undefined;
  /** Where the others reach it. Default: where it listens. */
  readonly advertise?: { readonly host?: string; readonly port?: number } | undefined;
  /** Known to all nodes of the cluster, at least 32 characters. Needed without mutual `tls`. */
  readonly secret?: string | undefined;
  /** Another that others may still have, or have already, while it is changed. As long. */
  readonly acceptedSecret?: string | undefined;
  /** Certificates, of both sides unless it says otherwise; without them nothing is encrypted. */
  readonly tls?: PeerTls | undefined;
  /** Milliseconds between heartbeats, to the registry and to silent peers. Default 1500. */
  readonly heartbeatMs?: number | undefined;
  /** Calls that run here for one peer at once. Default 10 000. */
  readonly callsMax?: number | undefined;
  /** From this load on it is degraded, and called where no other is left; 0 to 1. Default 0.8. */
  readonly loadMax?: number | undefined;
  /** How the host's parts are; asked at each heartbeat. Default: well. */
  readonly health?: (() => HealthReport) | undefined;
  /** Told of who joins and leaves, is degraded and recovers, this node included. */
  readonly onNews?: ((news: FleetNews) => void) | undefined;
  /** Bytes of a request or an answer. Default 16 Mi. */
  readonly messageBytesMax?: number | undefined;
  /** Frames of a stream that may come before they are asked for. Default 0. */
  readonly streamAhead?: number | undefined;
  /** False: calls go over the wire even to this node. Default true. */
  readonly inProcess?: boolean | undefined;
  /** How calls within this node are validated, as in a local mesh. Default `full`. */
  readonly validation?: LocalMeshOptions["validation"];
  /**
   * Whether other nodes may call a service that is provided here; asked when it is provided, and
   * again by `announce`. Default: yes.
   */
  readonly offers?: ((service: string) => boolean) | undefined;
}

export interface Fleet extends AsyncDisposable {
  readonly mesh: Mesh;
  /** Of this run. */
  readonly instance: string;
  /** Where the others reach it. */
  readonly address: { readonly host: string; readonly port: number };
  /** Who is known, this node included. */
  instances(): readonly InstanceRecord[];
  /** Services by app, as they are placed now. */
  mapping(): Mapping;
  /** Who runs a service and takes calls, those that are up first, this node left out. */
  providersOf(service: string): readonly InstanceRecord[];
  /** Tells the others what is offered here now; waits for the registry no longer than a look. */
  announce(): Promise<void>;
  /** Reads the registry now, not at the next look. @throws what the registry throws */
  refresh(): Promise<void>;
  /** A typed client of what one other instance runs. */
  clientOf<C extends AnyContract>(contract: C, instance: string, options: ClientOptions): Client<C>;
  /** An operation of other nodes whose contract is not at hand, such as one behind a door. */
  endpoint(operation: RemoteOperation): Endpoint;
  /** Resolves when every node that reads the registry has had the time to read of this one. */
  settled(): Promise<void>;
  /**
   * Takes no new calls: tells the registry and all peers, and waits until what runs has ended, at
   * most as long as `signal` lets it. Answers how many calls still run.
   */
  drain(options?: Waiting): Promise<number>;
  /** It takes no more calls of other nodes. */
  readonly isDraining: boolean;
  /** Calls that run here, made or served. */
  readonly running: number;
  /** This node's, as measured at its last heartbeat; `undefined` before the first. */
  readonly load: LoadFigures | undefined;
  /** Connections to other nodes, whoever opened them. */
  readonly connections: number;
  /** Shows other certificates from now on; connections stay. Nothing where it began without. */
  renewTls(tls: PeerTls): void;
  /** Takes this instance out of the registry; connections stay. Safe twice. */
  leave(): Promise<void>;
  /** Leaves the registry and ends all connections. */
  close(): Promise<void>;
}

/** Every node runs it for itself, wherever services are placed. */
const nodeService = "node";
/** Others that a node that comes introduces itself to. */
const introductionsMax = 3;
/** Messages that may wait to be written to one peer. */
const outgoingBytesMax = 64 * 1024 * 1024;

/** Joins a fleet. @throws MESH_OPTIONS_INVALID, MESH_LISTEN_FAILED, and what the registry throws */
export async function openFleet(options: FleetOptions): Promise<Fleet> {
  assertFleetBounds(options);
  const fleet = new OpenFleet(options);
  try {
    await fleet.start();
    return fleet;
  } catch (error) {
    await fleet.close();
    throw error;
  }
}

class OpenFleet implements Fleet {
  readonly mesh: FleetMesh;
  readonly instance: string;
  readonly #options: FleetOptions;
  readonly #peers: Peers;
  readonly #table: RouteTable;
  readonly #membership: Membership;
  readonly #roster: Roster;
  /** Where the registry is only read. */
  #seeds: SeedRegistry | undefined = undefined;
  readonly #meter: LoadMeter;
  readonly #watch: StatusWatch;
  readonly #startedAtMs: number;
  readonly #heartbeatMs: number;
  readonly #lookMs: number;
  #address = { host: "", port: 0 };
  #own: Pick<InstanceRecord, "status" | "issues" | "load"> = { status: "up", issues: [] };
  #isKnown = false;
  #hasLeft = false;
  #draining: Promise<void> | undefined = undefined;
  #isDrained = false;
  #isClosed = false;

  constructor(options: FleetOptions) {
    const { runtime, node, log = silentLog, random = systemRandom } = options;
    const { registry } = options;
    this.#options = options;
    this.#heartbeatMs = options.heartbeatMs ?? 1500;
    this.#lookMs = Math.min(this.#heartbeatMs, 1000);
    this.#meter = new LoadMeter(openProcessReader(runtime));
    this.#watch = new StatusWatch(options.loadMax ?? 0.8, options.health);
    this.#startedAtMs = runtime.clock.nowMs();
    this.instance =
      `${node}.${createIdSource(runtime.clock, random).uuid().replaceAll("-", "")}`.slice(-64);
    this.#table = new RouteTable(options.inProcess === false ? undefined : this.instance);
    this.#peers = this.#openPeers(log);
    const balancer = new Balancer(random, runtime.clock);
    this.#roster = new Roster({
      instance: this.instance,
      table: this.#table,
      clock: runtime.clock,
      log,
      graceMs: this.#lookMs * 1.5,
      isConnected: (instance) => this.#peers.linkTo(instance) !== undefined,
      dial: ({ instance, host, port }) => this.#peers.dial({ node: instance, host, port }),
      forget: (instance) => balancer.forget(instance),
      onNews: options.onNews,
    });
    this.#membership = new Membership({
      registry: "readOnly" in registry ? this.#openSeeds(registry, log) : registry,
      clock: runtime.clock,
      random,
      log,
      heartbeatMs: this.#heartbeatMs,
      lookMs: this.#lookMs,
      doubted: () => this.#table.unreached,
      renew: (record) => this.#renewed(record),
      read: (records, mapping) => {
        this.#roster.read(records, this.#seeds?.removed());
        if (mapping !== undefined) this.#table.replaceMapping(mapping);
      },
    });
    this.mesh = new FleetMesh({
      runtime,
      balancer,
      find: (instance) => this.#table.find(instance),
      candidates: (service, built) => this.#table.candidates(service, built),
      isPlacedElsewhere: (service) => this.#isPlacedElsewhere(service),
      linkTo: ({ instance }) => this.#peers.linkTo(instance),
      dial: ({ instance, host, port }) => this.#peers.dial({ node: instance, host, port }),
      unreachable: ({ instance }) => this.#table.exclude(instance),
      streamAhead: options.streamAhead ?? 0,
      inProcess: options.inProcess,
      validation: options.validation,
      announce: () => this.#announce(),
      onClose: () => this.close(),
    });
  }

  get address(): { readonly host: string; readonly port: number } {
    return this.#address;
  }

  instances(): readonly InstanceRecord[] {
    const own = this.#own;
    return this.#roster
      .instances()
      .map((record) => (record.instance === this.instance ? { ...record, ...own } : record));
  }

  mapping(): Mapping {
    return this.#table.mapping;
  }

  #isPlacedElsewhere(service: string): boolean {
    const isTheNodes = service === nodeService;
    return !isTheNodes && this.#table.isPlacedElsewhere(service, this.#options.app ?? defaultApp);
  }

  providersOf(service: string): readonly InstanceRecord[] {
    const { up, degraded } = this.#table.candidates(service);
    return [...up, ...degraded].filter(({ instance }) => instance !== this.instance);
  }

  announce(): Promise<void> {
    return this.#briefly(this.#announce());
  }

  refresh(): Promise<void> {
    return this.#membership.refresh();
  }

  clientOf<C extends AnyContract>(
    contract: C,
    instance: string,
    options: ClientOptions,
  ): Client<C> {
    return this.mesh.clientOf(contract, instance, options);
  }

  endpoint(operation: RemoteOperation): Endpoint {
    return this.mesh.endpoint(operation);
  }

  async start(): Promise<void> {
    const { listen = {}, advertise = {} } = this.#options;
    const { host = "127.0.0.1", port = 0 } = listen;
    const own = await this.#peers.listen(host, port);
    this.#address = { host: advertise.host ?? host, port: advertise.port ?? own };
    await this.#membership.start();
    await this.#proveOneself();
  }

  /**
   * Whoever has the wrong secret is told at its start, not by its first call. A few others are
   * enough, and who does not answer proves nothing. @throws MESH_PEER_REFUSED
   */
  async #proveOneself(): Promise<void> {
    const others = this.instances().filter(({ status }) => status !== "draining");
    if (others.length === 0) return;
    const dials = others
      .slice(0, introductionsMax)
      .map(({ instance, host, port }) => this.#peers.dial({ node: instance, host, port }));
    try {
      await Promise.any(dials);
    } catch (error) {
      const failures: unknown[] = error instanceof AggregateError ? error.errors : [error];
      const refusal = failures.find((each) => isBanyanError(each, "MESH_PEER_REFUSED"));
      if (refusal !== undefined) throw toBanyanError(refusal);
    }
  }

  settled(): Promise<void> {
    return this.#options.runtime.clock.sleep(this.#membership.lookMs * 1.2);
  }

  async drain({ signal }: Waiting = {}): Promise<number> {
    const { runtime } = this.#options;
    this.#own = { ...this.#own, status: "draining" };
    const ended = Promise.withResolvers<void>();
    const stop = (): void => ended.resolve();
    signal?.addEventListener("abort", stop, { once: true });
    if (signal?.aborted === true) stop();
    const drained = async (): Promise<void> => {
      // What was sent before they had read it is here, and is finished like everything else.
      const read = this.#peers.leave("it is draining");
      await this.#briefly(this.#announce()); // the peers hear it in any case
      await read;
      await runtime.idle();
    };
    this.#draining ??= drained();
    await Promise.race([this.#draining, ended.promise]);
    signal?.removeEventListener("abort", stop);
    this.#isDrained = true;
    return runtime.inFlight;
  }

  get running(): number {
    return this.#options.runtime.inFlight;
  }

  get load(): LoadFigures | undefined {
    return this.#own.load;
  }

  get connections(): number {
    return [...this.#peers.links].length;
  }

  renewTls(tls: PeerTls): void {
    this.#peers.renewTls(tls);
  }

  get isDraining(): boolean {
    return this.#own.status === "draining";
  }

  leave(): Promise<void> {
    this.#hasLeft = true;
    const { record } = this.#membership;
    if (record !== undefined) this.#roster.farewell(record);
    return this.#membership.leave();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#membership.close();
    this.#meter.close();
    this.#roster.close();
    // A registry that is away forgets it by itself.
    await this.#briefly(this.leave());
    await this.#peers.close();
    await this.mesh.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @throws NODE_DRAINING: it did nothing, and another instance is tried */
  #serve(operation: string, kind: "unary" | "stream"): Endpoint {
    if (this.#isDrained) {
      throw kernelErrors.NODE_DRAINING(`The node stops and does not take ${operation} any more.`);
    }
    const [service = ""] = operation.split(".", 1);
    if (this.#options.offers?.(service) === false) throw unavailableError(service, "another node");
    return this.mesh.serve(operation, kind);
  }

  /** A registry that fails, or is silent, holds up nobody: it is told again with the heartbeat. */
  async #briefly(telling: Promise<void>): Promise<void> {
    const waiting = new AbortController();
    const { clock } = this.#options.runtime;
    const told = telling.catch(() => undefined).finally(() => waiting.abort());
    const patience = clock.sleep(this.#membership.lookMs, { signal: waiting.signal });
    await Promise.race([told, patience.catch(() => undefined)]);
  }

  async #announce(): Promise<void> {
    if (this.#isClosed || this.#hasLeft) return;
    const { node, app = defaultApp, offers = () => true } = this.#options;
    const offered = this.mesh.services().filter(({ name }) => offers(name));
    if (offered.length === 0 && !this.#isKnown) return; // F1
    this.#isKnown = true;
    const services = Object.fromEntries(offered.map(({ name, spec }) => [name, spec.version]));
    await this.#membership.announce({
      instance: this.instance,
      node,
      app,
      ...this.#address,
      services,
      ...this.#own,
      startedAtMs: this.#startedAtMs,
    });
  }

  /** What is told with a heartbeat. */
  #renewed(record: InstanceRecord): InstanceRecord {
    const load = this.#meter.sample();
    const nowMs = this.#options.runtime.clock.monotonicMs();
    const { status, issues } = this.#watch.look(load, nowMs);
    this.#own = { status: this.isDraining ? "draining" : status, issues, load };
    return { ...record, ...this.#own };
  }

  #openSeeds(source: ReadOnlyRegistry, log: Log): SeedRegistry {
    this.#seeds = new SeedRegistry({
      instance: this.instance,
      source,
      clock: this.#options.runtime.clock,
      log,
      lookMs: this.#lookMs,
      leaseMs: this.#heartbeatMs * heartbeatsOfLease,
      isConnected: (instance) => this.#peers.linkTo(instance) !== undefined,
      meet: (seed) => this.#peers.meet(seed),
      tell: (record, to) => this.#peers.tell(record, to),
    });
    return this.#seeds;
  }

  #openPeers(log: Log): Peers {
    const { cluster = defaultApp, secret, acceptedSecret, tls, runtime } = this.#options;
    const { callsMax = 10_000, messageBytesMax = 16 * 1024 * 1024 } = this.#options;
    return new Peers({
      cluster,
      node: this.instance,
      secret,
      acceptedSecret,
      tls,
      runtime,
      log,
      callsMax,
      messageBytesMax,
      outgoingBytesMax,
      heartbeatMs: this.#heartbeatMs,
      resolve: (operation, kind) => this.#serve(operation, kind),
      onGone: (instance, why) => {
        if (why === "leaving") this.#roster.leaves(instance);
        else this.#roster.linkClosed(instance);
      },
      onOpened: (instance) => {
        this.#seeds?.linkOpened(instance);
        this.#roster.linkOpened(instance);
      },
      onAbout: (instance, record) => this.#seeds?.heard(instance, record),
    });
  }
}
