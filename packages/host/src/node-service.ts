/** The node's own service: answers what runs here from what the node holds already. */

import { defineService } from "@banyan/kernel";
import type { AnyContract, Client, Clock, ServiceDefinition } from "@banyan/kernel";
import {
  eventSpecOf,
  kernelErrors,
  layers,
  listOperations,
  nearest,
  toJsonSchema,
} from "@banyan/kernel/internal";
import type { NamedOperation } from "@banyan/kernel/internal";
import { accessText } from "./describe/access-text.ts";
import { exampleOf } from "./describe/example.ts";
import { closedSchema } from "./describe/request-schema.ts";
import { probeService } from "./health.ts";
import { nodeContract } from "./node-contract.ts";
import { describeElsewhere } from "./elsewhere.ts";
import { backupHandlers } from "./node-service/backup-handlers.ts";
import { eventHandlers } from "./node-service/event-handlers.ts";
import { meshHandlers } from "./node-service/mesh-handlers.ts";
import { stateHandlers } from "./node-service/state-handlers.ts";
import {
  logHandlers,
  telemetryHandlers,
  traceHandlers,
} from "./node-service/telemetry-handlers.ts";
import type { NodeView } from "./node-view.ts";
import type { ServiceInstance } from "./service-instance.ts";
import { configRows } from "./setup.ts";

type Answer<K extends "services" | "describe"> = Awaited<
  ReturnType<Client<typeof nodeContract>[K]>
>;

/** The service for one node. */
export function defineNodeService(node: NodeView): ServiceDefinition {
  return defineService(nodeContract, ({ clock, publish }) => ({
    // Not before: what cannot be delivered yet is not worth a start that fails.
    start: () => node.newsPost.begin(publish),
    operations: {
      async services() {
        const { id, version, url, directory, startedAtMs } = node;
        return {
          node: {
            id,
            version,
            pid: process.pid,
            ...(url === undefined ? {} : { url }),
            startedAt: new Date(startedAtMs).toISOString(),
            uptimeMs: Math.max(0, Math.round(clock.nowMs() - startedAtMs)),
            ...(directory === undefined ? {} : { dataDirectory: directory }),
          },
          services: [
            ...(await Promise.all(node.instances.map((each) => runningRow(each, clock)))),
            ...disabledRows(node),
          ],
        };
      },
      async describe({ service, operation }, call) {
        const isHere = node.instances.some(({ name }) => name === service);
        // Asked once: what another node asks for is described here or nowhere.
        if (!isHere && call.caller !== nodeContract.name && node.joined !== undefined) {
          const asked = operation === undefined ? { service } : { service, operation };
          const found = await describeElsewhere(node.joined.fleet, asked);
          if (found !== undefined) return found;
        }
        return describeService(node, service, operation);
      },
      config: () => ({
        files: node.setup.files.map(({ name }) => name),
        rows: configRows(node.setup).map(({ pointer: _pointer, ...row }) => row),
      }),
      mesh: meshHandlers(node),
      state: stateHandlers(node),
      events: eventHandlers(node),
      backup: backupHandlers(node),
      log: logHandlers(node),
      traces: traceHandlers(node),
      telemetry: telemetryHandlers(node),
    },
  }));
}

type ServiceRow = Answer<"services">["services"][number];

async function runningRow(instance: ServiceInstance, clock: Clock): Promise<ServiceRow> {
  const { contract, source } = instance;
  const { state, reason } = await probeService(instance, clock);
  return {
    ...headOf(contract),
    // probeService answers these states and no others.
    state: state as ServiceRow["state"],
    ...(reason === undefined ? {} : { because: reason }),
    from: source.from,
    operations: listOperations(contract.spec.operations ?? {}).length,
  };
}

/** A disabled service was never loaded: only its announcement is known. */
function disabledRows({ setup }: NodeView): ServiceRow[] {
  return setup.decisions
    .filter(({ enabled }) => !enabled)
    .map(({ name, because }) => {
      const source = setup.sources.find((each) => each.name === name);
      return {
        name,
        layer: source?.layer ?? "L4",
        version: "",
        summary: "",
        state: "disabled",
        because,
        from: source?.from ?? "",
        operations: 0,
      };
    });
}

function headOf(contract: AnyContract): Pick<ServiceRow, "name" | "layer" | "version" | "summary"> {
  const { name, layer, spec } = contract;
  return {
    name,
    layer: `${layer} ${layers[layer].name}`,
    version: spec.version,
    summary: spec.summary,
  };
}

function describeService(
  node: NodeView,
  service: string,
  operation: string | undefined,
): Answer<"describe"> {
  const instance = node.instances.find(({ name }) => name === service);
  if (instance === undefined) throw unknownService(node, service);
  const { contract } = instance;
  const all = listOperations(contract.spec.operations ?? {});
  const chosen = operation === undefined ? all : all.filter(({ name }) => name === operation);
  if (operation !== undefined && chosen.length === 0) throw unknownOperation(contract, operation);
  const { bodyBytesMax } = node.setup.config.http;
  return {
    service: serviceDescription(contract),
    operations: chosen.map((each) => operationDescription(contract, each, bodyBytesMax)),
  };
}

function serviceDescription(contract: AnyContract): Answer<"describe">["service"] {
  const { spec } = contract;
  const { description } = spec;
  return {
    ...headOf(contract),
    ...(description === undefined ? {} : { description }),
    uses: Object.values(spec.uses ?? {}).map(({ name }) => name),
    optional: Object.values(spec.optional ?? {}).map(({ name }) => name),
    stores: Object.entries(spec.stores ?? {}).map(([name, store]) => ({
      name,
      durability: store.durability,
      capabilities: [...(store.expires === true ? ["expires"] : []), ...(store.capabilities ?? [])],
    })),
    locks: Object.entries(spec.locks ?? {}).map(([name, lock]) => ({
      name,
      durability: lock.durability ?? "durable",
      ...(lock.summary === undefined ? {} : { summary: lock.summary }),
    })),
    events: Object.entries(spec.events ?? {}).map(([name, declared]) => {
      const { durability = "durable", payload } = eventSpecOf(declared);
      const topic = `${contract.name}.${name}`;
      return { name, topic, durability, payload: toJsonSchema(payload, "input") };
    }),
    subscriptions: Object.entries(spec.subscriptions ?? {}).map(
      ([name, { contract: publisher, event, ...each }]) => ({
        name,
        topic: `${publisher.name}.${event}`,
        ...each,
      }),
    ),
    extensionPoints: Object.entries(spec.extensionPoints ?? {}).map(([name, point]) => ({
      name,
      kind: point.kind,
      summary: point.summary,
    })),
    errors: Object.entries(spec.errors ?? {}).map(([code, { kind, summary }]) => ({
      code,
      kind,
      summary,
    })),
  };
}

function operationDescription(
  contract: AnyContract,
  { name, segments, spec }: NamedOperation,
  bodyBytesMax: number,
): Answer<"describe">["operations"][number] {
  const request =
    spec.http !== undefined || spec.request === undefined
      ? undefined
      : toJsonSchema(spec.request, "input");
  const example = request === undefined ? undefined : exampleOf(request);
  const { description, deadlineMs, streamAhead, payloadBytesMax, response, stream, http } = spec;
  return {
    name,
    summary: spec.summary,
    ...(description === undefined ? {} : { description }),
    access: accessText(spec.access),
    kind: http !== undefined ? "raw" : stream !== undefined ? "stream" : "unary",
    method: http?.method ?? "POST",
    path: http?.path ?? `/${[contract.name, ...segments].join("/")}`,
    idempotent: spec.idempotent ?? false,
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
    ...(streamAhead === undefined ? {} : { streamAhead }),
    payloadBytesMax: payloadBytesMax ?? bodyBytesMax,
    ...(request === undefined ? {} : { request: closedSchema(request) }),
    ...(response === undefined ? {} : { response: toJsonSchema(response, "output") }),
    ...(stream === undefined ? {} : { stream: toJsonSchema(stream, "output") }),
    errors: [...(spec.errors ?? [])],
    ...(example === undefined ? {} : { example }),
  };
}

function unknownService(node: NodeView, service: string): Error {
  const known = node.instances.map(({ name }) => name);
  const off = node.setup.decisions.find(({ name, enabled }) => name === service && !enabled);
  if (off !== undefined) {
    return kernelErrors.SERVICE_UNAVAILABLE(
      `The service "${service}" is switched off in this node (${off.because}).`,
    );
  }
  const meant = nearest(service, known);
  const who =
    node.joined === undefined ? "This node runs no" : "No node that this one can call runs a";
  return kernelErrors.SERVICE_UNKNOWN(
    `${who} service "${service}".${meant === undefined ? "" : ` Did you mean "${meant}"?`}`,
  );
}

function unknownOperation(contract: AnyContract, operation: string): Error {
  const known = listOperations(contract.spec.operations ?? {}).map(({ name }) => name);
  const meant = nearest(operation, known);
  return kernelErrors.OPERATION_UNKNOWN(
    `The service "${contract.name}" has no operation "${operation}".` +
      (meant === undefined ? "" : ` Did you mean "${meant}"?`),
  );
}
