/**
 * The mesh of several nodes: what runs here is called here, everything else over a connection.
 *
 * What it owns: the services of this node, an endpoint for each operation that is called.
 * What may interrupt it: nodes that come and go while they are called.
 *
 * F1. What runs in this node is called in this node, through the same pipeline, unless that is
 *     switched off, or the service is placed in another app.
 * F2. Where a call goes is decided when it is made; nothing is pinned.
 */

import type { AnyContract, Client } from "@banyan/kernel";
import type { CallerIdentity } from "./call-init.ts";
import type { WantedOperation } from "./client.ts";
import { createClient } from "./client.ts";
import type {
  ClientOptions,
  Endpoint,
  Mesh,
  OptionalClient,
  ProvidedService,
  Withdraw,
} from "./mesh.ts";
import type { LocalMeshOptions } from "./options.ts";
import { ProvidedServices } from "./provided-services.ts";
import { RemoteEndpoint, remoteOperation } from "./remote-endpoint.ts";
import type { RemoteOperation, RemotePorts } from "./remote-endpoint.ts";
import type { InstanceRecord } from "./instance-record.ts";
import type { Candidates } from "./route-table.ts";

export interface FleetMeshOptions extends RemotePorts {
  /** Tells the other nodes what runs here; resolves when those that are there know. */
  readonly announce: () => Promise<void>;
  /** False: calls go over the wire even to this node; tests see what crosses. Default true. */
  readonly inProcess?: boolean | undefined;
  /** The mapping says that the nodes of another app run the service, though this one does too. */
  readonly isPlacedElsewhere?: ((service: string) => boolean) | undefined;
  /** Of calls within this node, as in a local mesh. Default `full`. */
  readonly validation?: LocalMeshOptions["validation"];
  /** The instance, where it takes calls. */
  readonly find: (instance: string) => readonly InstanceRecord[];
  readonly onClose: () => Promise<void>;
}

/** A mesh of which this process is one node. */
export class FleetMesh implements Mesh {
  readonly #options: FleetMeshOptions;
  readonly #provided = new ProvidedServices();
  readonly #remote = new Map<string, RemoteEndpoint>();

  constructor(options: FleetMeshOptions) {
    this.#options = options;
  }

  provide(service: ProvidedService): Withdraw {
    const withdraw = this.#provided.add(service);
    const { announce } = this.#options;
    const announced = announce();
    announced.catch(() => undefined); // told again with the next heartbeat
    return async () => {
      await withdraw();
      await announced.catch(() => undefined);
      await announce();
    };
  }

  isAvailable(service: string): boolean {
    if (this.#provided.isClosed) return false;
    if (this.#provided.has(service)) return true;
    const { up, degraded } = this.#options.candidates(service, undefined);
    return up.length + degraded.length > 0;
  }

  client<C extends AnyContract>(contract: C, { caller }: ClientOptions): Client<C> {
    return createClient(contract, {
      caller: this.#callerOf(caller),
      resolve: (wanted) => this.#resolve(wanted, caller),
    });
  }

  /** A client of what one instance runs, whichever others there are. */
  clientOf<C extends AnyContract>(
    contract: C,
    instance: string,
    { caller }: ClientOptions,
  ): Client<C> {
    // Whatever its app: it is named.
    const candidates = (): Candidates => ({ up: this.#options.find(instance), degraded: [] });
    return createClient(contract, {
      caller: this.#callerOf(caller),
      resolve: (wanted) =>
        new RemoteEndpoint(remoteOperation(wanted), { ...this.#options, candidates }),
    });
  }

  optionalClient<C extends AnyContract>(contract: C, options: ClientOptions): OptionalClient<C> {
    const client = this.client(contract, options);
    return () => (this.isAvailable(contract.name) ? client : undefined);
  }

  endpoint(operation: RemoteOperation): Endpoint {
    return new RemoteEndpoint(operation, this.#options);
  }

  /** Of this node: contracts do not travel. */
  services(): readonly AnyContract[] {
    return this.#provided.contracts();
  }

  /** What another node calls here. @throws SERVICE_UNAVAILABLE, OPERATION_UNKNOWN, CLOSED */
  serve(operation: string, kind: "unary" | "stream"): Endpoint {
    const endpoint = this.#provided.endpoint({ name: operation, kind });
    if (endpoint === undefined) throw this.#provided.refusalOf(operation, kind);
    return endpoint;
  }

  #callerOf(caller: string): CallerIdentity {
    const { validation = "full" } = this.#options;
    return {
      name: caller,
      principal: Object.freeze({ kind: "service", id: caller }),
      mode: validation === "full" ? "tolerant" : "trusted",
    };
  }

  async close(): Promise<void> {
    this.#provided.close();
    await this.#options.onClose();
  }

  #resolve(wanted: WantedOperation, caller: string): Endpoint {
    const { inProcess = true, isPlacedElsewhere } = this.#options;
    const isOurs = inProcess && isPlacedElsewhere?.(wanted.contract.name) !== true;
    const own = isOurs ? this.#provided.endpoint(wanted) : undefined;
    if (own !== undefined) return own;
    if (this.#provided.isClosed) throw this.#provided.refusal(wanted, caller);
    if (isOurs && this.#provided.has(wanted.contract.name)) {
      throw this.#provided.refusal(wanted, caller);
    }
    return this.#remoteFor(wanted);
  }

  #remoteFor(wanted: WantedOperation): RemoteEndpoint {
    const key = `${wanted.kind} ${wanted.name} ${wanted.contract.spec.version}`;
    const known = this.#remote.get(key);
    if (known !== undefined) return known;
    const endpoint = new RemoteEndpoint(remoteOperation(wanted), this.#options);
    this.#remote.set(key, endpoint);
    return endpoint;
  }
}
