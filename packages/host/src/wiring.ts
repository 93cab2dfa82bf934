/**
 * From a definition to an instance: makes the tools that a service's factory is handed, and the
 * runners of what it returned.
 *
 * Two phases, so that no order of construction can matter: here everything is only built, and
 * clients, topics and extension points are resolved at their first use; calls begin with `start`.
 */

import { createIdSource, t } from "@banyan/kernel";
import type { AnyContract, Call, Clock, Contribution, Log, Random, Store } from "@banyan/kernel";
import type { PublishOptions, Published } from "@banyan/kernel";
import {
  CallContext,
  Codec,
  currentCallContext,
  eventSpecOf,
  kernelErrors,
  listOperations,
  OperationRunner,
  toJsonSchema,
} from "@banyan/kernel/internal";
import type { CallInit, CallRuntime, Handler, NamedOperation } from "@banyan/kernel/internal";
import type { Mesh } from "@banyan/mesh";
import { createPublisher } from "@banyan/messaging";
import type { NodeEngines } from "./engines.ts";
import type { ExtensionRegistry } from "./extensions.ts";
import { extensionOperation } from "./extensions.ts";
import { assertFunction, handlerOf, ServiceInstance } from "./service-instance.ts";
import type { AnyFunction, ErasedParts } from "./service-instance.ts";
import type { LoadedService } from "./setup.ts";

/** What all services of a node share. */
export interface NodeParts {
  readonly runtime: CallRuntime;
  readonly mesh: Mesh;
  readonly engines: NodeEngines;
  readonly extensions: ExtensionRegistry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Builds one service. @throws whatever its factory throws, and NODE_START_FAILED */
export async function buildService(
  loaded: LoadedService,
  config: unknown,
  node: NodeParts,
): Promise<ServiceInstance> {
  const { definition, source } = loaded;
  const { contract } = definition;
  const log = node.log.child({ service: contract.name });
  const tools = Object.freeze({
    config,
    stores: await openStores(contract, node.engines),
    publish: createPublish(contract, node),
    clients: createClients(contract, node.mesh),
    extensionPoints: createPoints(contract, node),
    log,
    clock: node.clock,
    ids: createIdSource(node.clock, node.random),
    random: node.random,
  });
  // A factory's result is typed by defineService; plain JavaScript is caught part by part below.
  const parts = ((await definition.build(tools)) ?? {}) as ErasedParts;
  const runners = listOperations(contract.spec.operations ?? {}).map((operation) => {
    const handler = handlerOf(contract.name, operation, parts.operations);
    return runnerOf(contract, operation, { handler, node });
  });
  registerExtensions(contract, parts, node);
  return new ServiceInstance({ definition, source, parts, runners, log });
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

async function openStores(
  contract: AnyContract,
  engines: NodeEngines,
): Promise<Readonly<Record<string, Store<unknown>>>> {
  const stores: Record<string, Store<unknown>> = {};
  for (const [name, spec] of Object.entries(contract.spec.stores ?? {})) {
    stores[name] = await engines.openStore(contract.name, name, spec);
  }
  return Object.freeze(stores);
}

type Publish = (event: string, payload: unknown, options?: PublishOptions) => Promise<Published>;

/** Publishes to the bus first; then local listeners are told of what is safe already. */
function createPublish(contract: AnyContract, node: NodeParts): Publish {
  const publisher = createPublisher(contract, node.engines.bus, {
    clock: node.clock,
    ids: createIdSource(node.clock, node.random),
  });
  const { publish } = publisher;
  // Typed by the contract at the author's side; here the names are data.
  const send: Publish = publish;
  const codecs = new Map<string, Codec>();
  return async (event, payload, options) => {
    if (!node.extensions.isListened(contract.name, event)) return send(event, payload, options);
    // Copied now, as the bus does: what the author changes meanwhile is heard by nobody.
    const codec = codecs.get(event) ?? codecOf(contract, event);
    codecs.set(event, codec);
    const copy = codec.parse(payload, "tolerant");
    const published = await send(event, payload, options);
    await node.extensions.tell(contract.name, event, {
      // The contract's check refuses events that are no objects.
      event: { ...(copy as object), ...published },
      init: initFrom(contract.name, currentCallContext()),
    });
    return published;
  };
}

/** For an event that is listened to: its payload as it is published, before any transform. */
function codecOf({ name, spec }: AnyContract, event: string): Codec {
  const declared = spec.events?.[event];
  const schema =
    declared === undefined ? true : toJsonSchema(eventSpecOf(declared).payload, "input");
  return new Codec(t.Unsafe(schema), {
    what: `Event ${name}.${event}`,
    refuse: kernelErrors.EVENT_INVALID,
  });
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

function initFrom(caller: string, parent: CallContext | undefined): CallInit {
  return {
    mode: "tolerant",
    principal: parent?.principal ?? { kind: "service", id: caller },
    caller,
    parent,
    timeoutMs: undefined,
    signal: undefined,
    trace: undefined,
    idempotencyKey: undefined,
  };
}
