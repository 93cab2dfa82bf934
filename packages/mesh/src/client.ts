/** Typed clients, built from contracts: one method per operation, groups nested. */

import type { AnyContract, Call, CallOptions, Client, OperationTree } from "@banyan/kernel";
import { isOperationSpec, toBanyanError } from "@banyan/kernel/internal";
import type { CallerIdentity } from "./call-init.ts";
import { callInitOf } from "./call-init.ts";
import { LazyStream } from "./lazy-stream.ts";
import type { Endpoint } from "./mesh.ts";

/** An operation as the caller's contract has it. Made once per method, not per call. */
export interface WantedOperation {
  readonly contract: AnyContract;
  /** Full name: `greeter.greet`. */
  readonly name: string;
  readonly kind: "unary" | "stream";
}

/** What a client's methods need of the mesh they belong to. */
export interface ClientSource {
  readonly caller: CallerIdentity;
  /** Who runs the operation at this moment. @throws why nobody does. */
  resolve(wanted: WantedOperation): Endpoint;
}

type Method = (request: unknown, options?: Call | CallOptions) => unknown;

interface MethodTree {
  readonly [name: string]: Method | MethodTree;
}

/** A client of the contract's unary and stream operations; raw exchanges are for HTTP alone. */
export function createClient<C extends AnyContract>(contract: C, source: ClientSource): Client<C> {
  const methodsOf = (tree: OperationTree, above: string): MethodTree => {
    const entries = Object.entries(tree).flatMap(([key, node]): [string, Method | MethodTree][] => {
      const name = `${above}.${key}`;
      if (!isOperationSpec(node)) return [[key, methodsOf(node, name)]];
      if (node.http !== undefined) return [];
      if (node.stream === undefined) {
        return [[key, unaryMethod({ contract, name, kind: "unary" }, source)]];
      }
      return [[key, streamMethod({ contract, name, kind: "stream" }, source)]];
    });
    return Object.freeze(Object.fromEntries(entries));
  };
  const methods = methodsOf(contract.spec.operations ?? {}, contract.name);
  // The tree is walked by the rules that `Client` states, so it has the methods that type names.
  return methods as unknown as Client<C>;
}

function unaryMethod(wanted: WantedOperation, source: ClientSource): Method {
  const { caller } = source;
  return (request, options) => {
    try {
      return source.resolve(wanted).invoke(request, callInitOf(options, caller));
    } catch (error) {
      return Promise.reject(toBanyanError(error));
    }
  };
}

function streamMethod(wanted: WantedOperation, source: ClientSource): Method {
  const { caller } = source;
  return (request, options) => {
    // The call belongs to whoever makes it, not to whoever takes its frames.
    const init = callInitOf(options, caller);
    return {
      [Symbol.asyncIterator]: () =>
        new LazyStream(() =>
          source.resolve(wanted).invokeStream(request, init)[Symbol.asyncIterator](),
        ),
    };
  };
}
