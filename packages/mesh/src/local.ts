/**
 * The mesh of one process: every provider is here, and a call is a function call through the
 * kernel's pipeline. The reference that meshes with wires are held to.
 *
 * What it owns: the table of what is provided. What may interrupt it: services that come and go
 * while others call.
 */

import type { AnyContract, Client } from "@banyan/kernel";
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
import type { LocalMeshOptions, ResolvedLocalMeshOptions } from "./options.ts";
import { resolveLocalMeshOptions } from "./options.ts";
import { ProvidedServices } from "./provided-services.ts";

/** A mesh within this process. */
export function createLocalMesh(options: LocalMeshOptions = {}): Mesh {
  return new LocalMesh(resolveLocalMeshOptions(options));
}

class LocalMesh implements Mesh {
  readonly #options: ResolvedLocalMeshOptions;
  readonly #provided = new ProvidedServices();

  constructor(options: ResolvedLocalMeshOptions) {
    this.#options = options;
  }

  provide(service: ProvidedService): Withdraw {
    return this.#provided.add(service);
  }

  isAvailable(service: string): boolean {
    return this.#provided.has(service);
  }

  client<C extends AnyContract>(contract: C, options: ClientOptions): Client<C> {
    const { caller } = options;
    return createClient(contract, {
      caller: {
        name: caller,
        principal: Object.freeze({ kind: "service", id: caller }),
        mode: this.#options.validation === "full" ? "tolerant" : "trusted",
      },
      resolve: (wanted) => this.#resolve(wanted, caller),
    });
  }

  optionalClient<C extends AnyContract>(contract: C, options: ClientOptions): OptionalClient<C> {
    const client = this.client(contract, options);
    return () => (this.isAvailable(contract.name) ? client : undefined);
  }

  services(): readonly AnyContract[] {
    return this.#provided.contracts();
  }

  close(): Promise<void> {
    this.#provided.close();
    return Promise.resolve();
  }

  #resolve(wanted: WantedOperation, caller: string): Endpoint {
    const endpoint = this.#provided.endpoint(wanted);
    if (endpoint === undefined) throw this.#provided.refusal(wanted, caller);
    return endpoint;
  }
}
