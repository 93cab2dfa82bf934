/**
 * The mesh of one process: every provider is here, and a call is a function call through the
 * kernel's pipeline. The reference that meshes with wires are held to.
 *
 * What it owns: the table of what is provided. What may interrupt it: services that come and go
 * while others call.
 *
 * I1. The table is read at every call, so a client never holds on to who left (mesh I2).
 * I2. A service is provided at most once at a time.
 */

import type { AnyContract, BanyanError, Client } from "@banyan/kernel";
import { kernelErrors, nearest } from "@banyan/kernel/internal";
import type { WantedOperation } from "./client.ts";
import { createClient } from "./client.ts";
import { meshErrors } from "./errors.ts";
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

/** A mesh within this process. */
export function createLocalMesh(options: LocalMeshOptions = {}): Mesh {
  return new LocalMesh(resolveLocalMeshOptions(options));
}

class LocalMesh implements Mesh {
  readonly #options: ResolvedLocalMeshOptions;
  /** By the service's name. */
  readonly #services = new Map<string, ProvidedService>();
  /** The same by full name of the operation: one look-up per call. */
  readonly #endpoints = new Map<string, Endpoint>();
  #closed = false;

  constructor(options: ResolvedLocalMeshOptions) {
    this.#options = options;
  }

  provide(service: ProvidedService): Withdraw {
    if (this.#closed) throw closedError(`provide ${service.contract.name}`);
    const { contract, runners } = service;
    const { name } = contract;
    if (this.#services.has(name)) {
      throw meshErrors.MESH_SERVICE_DUPLICATE(
        `A service named "${name}" is provided already; withdraw it first, or rename one of them.`,
        { details: { service: name } },
      );
    }
    this.#services.set(name, service);
    for (const runner of runners) this.#endpoints.set(runner.name, runner);
    let withdrawn = false;
    return () => {
      // Once only: whoever is provided later under this name is not ours to take back.
      if (!withdrawn && !this.#closed) {
        this.#services.delete(name);
        for (const runner of runners) this.#endpoints.delete(runner.name);
      }
      withdrawn = true;
      return Promise.resolve();
    };
  }

  isAvailable(service: string): boolean {
    return this.#services.has(service);
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
    const contracts = [...this.#services.values()].map(({ contract }) => contract);
    return contracts.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#services.clear();
    this.#endpoints.clear();
    return Promise.resolve();
  }

  #resolve(wanted: WantedOperation, caller: string): Endpoint {
    const endpoint = this.#endpoints.get(wanted.name);
    if (endpoint?.kind === wanted.kind) return endpoint;
    if (this.#closed) throw closedError(`call ${wanted.name}`);
    const service = this.#services.get(wanted.contract.name);
    if (service === undefined) throw unavailableError(wanted.contract.name, caller);
    throw unknownError(wanted, service);
  }
}

function closedError(attempt: string): BanyanError {
  return kernelErrors.CLOSED(
    `The mesh was closed before the attempt to ${attempt}; open a new one.`,
  );
}

function unavailableError(service: string, caller: string): BanyanError {
  return kernelErrors.SERVICE_UNAVAILABLE(
    `Nobody provides "${service}" at the moment, which ${caller} called; ` +
      `start a node that runs it, or switch it on in this one.`,
    { details: { service, caller } },
  );
}

/** The caller was built against another version of the contract than the one that runs. */
function unknownError(wanted: WantedOperation, service: ProvidedService): BanyanError {
  const { name, contract } = wanted;
  const running = `${contract.name} ${service.contract.spec.version}`;
  const built = `${contract.name} ${contract.spec.version}`;
  const names = service.runners.map((runner) => runner.name);
  const same = service.runners.find((runner) => runner.name === name);
  const meant = nearest(name, names);
  const hint =
    same !== undefined
      ? ` It is a ${same.kind} operation there.`
      : meant === undefined
        ? ""
        : ` The nearest one is "${meant}".`;
  return kernelErrors.OPERATION_UNKNOWN(
    `${running} runs here and does not offer "${name}" as ${built} does, against which the ` +
      `caller was built.${hint} Run a ${contract.name} that has it, or build the caller anew.`,
    { details: { operation: name, running: service.contract.spec.version } },
  );
}
