/**
 * The mesh contract: who provides a service at this moment, and typed clients that call it.
 *
 * A caller cannot tell where a service runs. That is the whole point: this contract says nothing of
 * processes, nodes or wires, so that the same service code runs in one process and in a fleet. What
 * a mesh with several nodes adds (choice among instances, retries, breakers) stands behind it.
 *
 * I1. What crosses is copied: caller and handler share no object.
 * I2. A client outlives its provider: who runs the operation is asked anew at every call.
 * I3. A nested call's deadline is never after its parent's, and a parent's abort reaches it.
 * I4. A failure crosses as a `BanyanError` with its kind, code, message, details and retry advice,
 *     never with its cause.
 */

import type { AnyContract, Client } from "@banyan/kernel";
import type { CallInit } from "@banyan/kernel/internal";

/**
 * Something that can run one operation. The kernel's `OperationRunner` is one, in this process; a
 * connection to another node can be one as well.
 */
export interface Endpoint {
  /** Full name of the operation: `greeter.greet`. */
  readonly name: string;
  readonly kind: "unary" | "stream" | "raw";
  /** Calls a unary operation. Never throws: what goes wrong is a rejection with a `BanyanError`. */
  invoke(request: unknown, init: CallInit): Promise<unknown>;
  /** Calls a stream operation. Nothing happens before the first frame is asked for. */
  invokeStream(request: unknown, init: CallInit): AsyncIterable<unknown>;
}

/** A service that a node runs, ready to be called. */
export interface ProvidedService {
  readonly contract: AnyContract;
  /** One per operation of the contract, in any order. */
  readonly runners: readonly Endpoint[];
}

/**
 * Takes a service back: no call is sent to it any more. Calls that run already are not touched;
 * whoever provides the service waits for them. Safe to call twice.
 */
export type Withdraw = () => Promise<void>;

export interface ClientOptions {
  /** Name of the service that will call: handlers see it, and it is the principal of own work. */
  readonly caller: string;
}

/** Answers a client while somebody provides the service. Ask at the time of use: it may change. */
export type OptionalClient<C extends AnyContract> = () => Client<C> | undefined;

export interface Mesh {
  /**
   * Makes a service callable.
   * @throws MESH_SERVICE_DUPLICATE when this node provides one of that name already.
   * @throws CLOSED
   */
  provide(service: ProvidedService): Withdraw;

  /** Does anybody provide the service at this moment? */
  isAvailable(service: string): boolean;

  /**
   * A typed client; the service may appear later, leave and come back. Its methods may reject with
   * SERVICE_UNAVAILABLE (nobody provides it now), OPERATION_UNKNOWN (the provider is older than the
   * contract), CLOSED, and whatever the operation answers.
   */
  client<C extends AnyContract>(contract: C, options: ClientOptions): Client<C>;

  /** For what a contract declares as `optional`. */
  optionalClient<C extends AnyContract>(contract: C, options: ClientOptions): OptionalClient<C>;

  /** Contracts of what is provided at this moment, by name. */
  services(): readonly AnyContract[];

  /** Ends routing: what is provided is taken back, later calls reject with CLOSED. Safe twice. */
  close(): Promise<void>;
}
