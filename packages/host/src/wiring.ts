/**
 * From a definition to an instance: makes the tools that a service's factory is handed, and the
 * runners of what it returned.
 *
 * Two phases, so that no order of construction can matter: here everything is only built, and
 * clients, topics and extension points are resolved at their first use; calls begin with `start`.
 */

import { createIdSource } from "@banyan/kernel";
import type { AnyContract, Call, Contribution, Locks, Scopes } from "@banyan/kernel";
import {
  CallContext,
  currentCallContext,
  listOperations,
  OperationRunner,
} from "@banyan/kernel/internal";
import type { Handler, NamedOperation } from "@banyan/kernel/internal";
import type { Mesh } from "@banyan/mesh";
import { stateErrors } from "@banyan/state";
import { initFrom } from "./call-init.ts";
import type { NodeEngines, OpenedStore } from "./engines.ts";
import { extensionOperation } from "./extensions.ts";
import type { NodeParts } from "./node-parts.ts";
import { createOnce } from "./once.ts";
import { assertFunction, handlerOf, ServiceInstance } from "./service-instance.ts";
import type { AnyFunction, ErasedParts } from "./service-instance.ts";
import { createServicePublisher } from "./service-publisher.ts";
import { createSpan } from "./service-span.ts";
import type { LoadedService } from "./setup.ts";
import { createTransactions } from "./transactions.ts";

/** Builds one service. @throws whatever its factory throws, and NODE_START_FAILED */
export async function buildService(
  loaded: LoadedService,
  config: unknown,
  node: NodeParts,
): Promise<ServiceInstance> {
  const { definition, source } = loaded;
  const { contract } = definition;
  const log = node.log.child({ service: contract.name });
  const declared = Object.entries(contract.spec.stores ?? {});
  const scopedSpecs = declared.filter(([, { scoped }]) => scoped === true);
  const opened = await openStores(contract, node.engines);
  const scoped =
    scopedSpecs.length === 0
      ? undefined
      : await node.engines.openScopes(contract.name, scopedSpecs);
  const publisher = createServicePublisher(contract, node);
  const transactions = createTransactions(contract, { stores: opened, publisher, node });
  const tools = Object.freeze({
    config,
    stores: Object.freeze({
      ...Object.fromEntries(opened.map(({ name, store }) => [name, store])),
      ...scoped?.stores,
    }),
    scopes: scoped?.scopes ?? withoutScopes(contract.name),
    locks: await openLocks(contract, node.engines),
    publish: publisher.publish,
    transaction: transactions.run,
    once: createOnce(contract, { transactions, node }),
    clients: createClients(contract, node.mesh),
    extensionPoints: createPoints(contract, node),
    log,
    clock: node.clock,
    ids: createIdSource(node.clock, node.random),
    random: node.random,
    span: createSpan(contract.name, node),
  });
  // A factory's result is typed by defineService; plain JavaScript is caught part by part below.
  const parts = ((await definition.build(tools)) ?? {}) as ErasedParts;
  const runners = listOperations(contract.spec.operations ?? {}).map((operation) => {
    const handler = handlerOf(contract.name, operation, parts.operations);
    return runnerOf(contract, operation, { handler, node });
  });
  registerExtensions(contract, parts, node);
  return new ServiceInstance({ definition, source, parts, runners, publisher, log });
}

function runnerOf(
  contract: AnyContract,
  operation: NamedOperation,
  { handler, node }: { handler: AnyFunction; node: NodeParts },
): OperationRunner {
  return new OperationRunner(contract, operation, {
    // The pipeline hands over what the contract's schemas describe, which is how it was typed.
    handler: handler as Handler,
    runtime: node.runtime,
  });
}

async function openStores(contract: AnyContract, engines: NodeEngines): Promise<OpenedStore[]> {
  const stores: OpenedStore[] = [];
  for (const [name, spec] of Object.entries(contract.spec.stores ?? {})) {
    if (spec.scoped === true) continue;
    stores.push(await engines.openStore(contract.name, name, spec));
  }
  return stores;
}

/** The scopes of a service that has nothing to keep in them: whatever is asked is refused. */
function withoutScopes(service: string): Scopes {
  const refuse = (): Promise<never> =>
    Promise.reject(
      stateErrors.STATE_CAPABILITY_MISSING(
        `The service ${service} declares no store as scoped, so it has no scopes; say ` +
          `"scoped: true" of the store that each scope is to have.`,
        { details: { service } },
      ),
    );
  return Object.freeze({
    create: refuse,
    get: refuse,
    list: refuse,
    usage: refuse,
    delete: refuse,
  });
}

async function openLocks(
  contract: AnyContract,
  engines: NodeEngines,
): Promise<Readonly<Record<string, Locks>>> {
  const locks: Record<string, Locks> = {};
  for (const [name, spec] of Object.entries(contract.spec.locks ?? {})) {
    locks[name] = await engines.openLocks(contract, name, spec);
  }
  return Object.freeze(locks);
}

/** Clients of what the contract uses; those of what is optional are looked up at every read. */
function createClients(contract: AnyContract, mesh: Mesh): object {
  const caller = contract.name;
  const clients = {};
  for (const [key, target] of Object.entries(contract.spec.uses ?? {})) {
    Object.defineProperty(clients, key, {
      value: mesh.client(target, { caller }),
      enumerable: true,
    });
  }
  for (const [key, target] of Object.entries(contract.spec.optional ?? {})) {
    Object.defineProperty(clients, key, {
      get: mesh.optionalClient(target, { caller }),
      enumerable: true,
    });
  }
  return Object.freeze(clients);
}

type Collect = (request: unknown, call?: Call) => Promise<Contribution<unknown>[]>;

function createPoints(
  contract: AnyContract,
  node: NodeParts,
): Readonly<Record<string, { readonly collect: Collect }>> {
  const points = Object.entries(contract.spec.extensionPoints ?? {}).flatMap(([name, point]) => {
    if (point.kind !== "provider") return [];
    const collect: Collect = (request, call) =>
      node.extensions.collect(contract.name, name, {
        request,
        init: initFrom(contract.name, call instanceof CallContext ? call : currentCallContext()),
      });
    return [[name, Object.freeze({ collect })] as const];
  });
  return Object.freeze(Object.fromEntries(points));
}

function registerExtensions(contract: AnyContract, parts: ErasedParts, node: NodeParts): void {
  for (const [name, extension] of Object.entries(contract.spec.extensions ?? {})) {
    const handler = assertFunction(parts.extensions?.[name], {
      service: contract.name,
      what: `an implementation of extension "${name}"`,
    });
    const runner = runnerOf(contract, extensionOperation(name, extension), { handler, node });
    node.extensions.add({ owner: extension.contract.name, point: extension.point, runner });
  }
}
