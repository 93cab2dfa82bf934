/**
 * The services that this node provides, by name and by operation.
 *
 * I1. It is read at every call, so nobody holds on to who left (mesh I2).
 * I2. A service is provided at most once at a time.
 */

import type { AnyContract, BanyanError } from "@banyan/kernel";
import { kernelErrors, nearest } from "@banyan/kernel/internal";
import type { WantedOperation } from "./client.ts";
import { meshErrors } from "./errors.ts";
import type { Endpoint, ProvidedService, Withdraw } from "./mesh.ts";

export class ProvidedServices {
  /** By the service's name. */
  readonly #services = new Map<string, ProvidedService>();
  /** The same by full name of the operation: one look-up per call. */
  readonly #endpoints = new Map<string, Endpoint>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  has(service: string): boolean {
    return this.#services.has(service);
  }

  /** By name. */
  contracts(): readonly AnyContract[] {
    const contracts = [...this.#services.values()].map(({ contract }) => contract);
    return contracts.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws MESH_SERVICE_DUPLICATE, CLOSED */
  add(service: ProvidedService): Withdraw {
    if (this.#isClosed) throw closedError(`provide ${service.contract.name}`);
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
      if (!withdrawn && !this.#isClosed) {
        this.#services.delete(name);
        for (const runner of runners) this.#endpoints.delete(runner.name);
      }
      withdrawn = true;
      return Promise.resolve();
    };
  }

  /** `undefined`: it is not provided here, or not of this kind. */
  endpoint({ name, kind }: Pick<WantedOperation, "name" | "kind">): Endpoint | undefined {
    const endpoint = this.#endpoints.get(name);
    return endpoint?.kind === kind ? endpoint : undefined;
  }

  /** Why there is no endpoint. */
  refusal(wanted: WantedOperation, caller: string): BanyanError {
    if (this.#isClosed) return closedError(`call ${wanted.name}`);
    const service = this.#services.get(wanted.contract.name);
    if (service === undefined) return unavailableError(wanted.contract.name, caller);
    return unknownError(wanted, service);
  }

  /** The same for another node, whose contract is not known here. */
  refusalOf(operation: string, kind: "unary" | "stream"): BanyanError {
    const [name = ""] = operation.split(".");
    const service = this.#services.get(name);
    if (this.#isClosed) return closedError(`call ${operation}`);
    if (service === undefined) return unavailableError(name, "another node");
    return unknownError({ contract: service.contract, name: operation, kind }, service);
  }

  close(): void {
    this.#isClosed = true;
    this.#services.clear();
    this.#endpoints.clear();
  }
}

function closedError(attempt: string): BanyanError {
  return kernelErrors.CLOSED(
    `The mesh was closed before the attempt to ${attempt}; open a new one.`,
  );
}

export function unavailableError(service: string, caller: string): BanyanError {
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
