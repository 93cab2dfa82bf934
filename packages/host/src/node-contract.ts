/**
 * The node's own service: what runs here, what each operation takes, how it is configured, what its
 * stores hold and what its buses carry.
 *
 * It is a service like any other (its operations are internal, so it takes the operator's token),
 * which is how the command line, the console and later nodes ask the same questions.
 */

import { defineContract, t } from "@banyan/kernel";
import { backupOperations } from "./node-service/backup-operations.ts";
import { eventOperations } from "./node-service/event-operations.ts";
import { meshEvents } from "./node-service/mesh-events.ts";
import { meshOperations } from "./node-service/mesh-operations.ts";
import { stateOperations } from "./node-service/state-operations.ts";
import {
  logOperations,
  telemetryOperations,
  traceOperations,
} from "./node-service/telemetry-operations.ts";

const schemaDocument = t.Unknown({ description: "JSON Schema 2020-12." });

const serviceRow = t.Object({
  name: t.String(),
  layer: t.String(),
  version: t.String(),
  summary: t.String(),
  state: t.Enum([
    "starting",
    "running",
    "degraded",
    "unhealthy",
    "stopping",
    "stopped",
    "disabled",
  ]),
  because: t.Optional(
    t.String({ description: "Why it is disabled, or what makes it less than healthy." }),
  ),
  from: t.String({ description: "Where it was loaded from." }),
  operations: t.Integer(),
});

const operationRow = t.Object({
  name: t.String({ description: "Within the service: admin.reset." }),
  summary: t.String(),
  description: t.Optional(t.String()),
  access: t.String(),
  kind: t.Enum(["unary", "stream", "raw"]),
  method: t.String(),
  path: t.String(),
  idempotent: t.Boolean(),
  deadlineMs: t.Optional(t.Integer()),
  streamAhead: t.Optional(t.Integer({ minimum: 0, maximum: 65_535 })),
  payloadBytesMax: t.Optional(
    t.Integer({
      description:
        "Longest body that its node takes over HTTP. Left out by nodes from before it was told.",
    }),
  ),
  request: t.Optional(schemaDocument),
  response: t.Optional(schemaDocument),
  stream: t.Optional(schemaDocument),
  errors: t.Array(t.String()),
  example: t.Optional(t.Unknown({ description: "A request that fits the schema." })),
});

/** What the contract asks for; nodes from before a service could say it leave the rest out. */
const subscriptionRow = t.Object({
  name: t.String(),
  topic: t.String(),
  delivery: t.String(),
  concurrency: t.Optional(t.Integer({ description: "Handlers at once in one node." })),
  retriesMax: t.Optional(t.Integer()),
  backoff: t.Optional(
    t.Object({
      initialMs: t.Optional(t.Number()),
      maxMs: t.Optional(t.Number()),
      factor: t.Optional(t.Number()),
      jitter: t.Optional(t.String()),
    }),
  ),
  deadlineMs: t.Optional(t.Integer({ description: "Left out: the node's default timeout." })),
  retentionMs: t.Optional(t.Integer({ description: "Left out: without end." })),
  bufferMax: t.Optional(t.Integer({ description: "Left out: as the bus has it." })),
});

export const nodeContract = defineContract("node", {
  summary: "What runs in this node, how it is configured, and what it keeps.",
  version: "1.0.0",
  layer: "L0",
  events: {
    storeFailed: {
      summary: "An engine failed a store; told once a minute for each store, operation and kind.",
      durability: "ephemeral",
      payload: t.Object({
        node: t.String({ description: "Id of the node that was failed." }),
        service: t.String(),
        store: t.String({ description: "Empty for a transaction over several." }),
        engine: t.String(),
        operation: t.String(),
        kind: t.String({ description: "Kind of the error: unavailable." }),
        code: t.String(),
        suppressed: t.Integer({ description: "Failures like it since the last event." }),
      }),
    },
    callFailed: {
      summary:
        "A call failed by a fault of the service; told once a minute for each operation and code.",
      durability: "ephemeral",
      payload: t.Object({
        node: t.String({ description: "Id of the node it failed in." }),
        service: t.String(),
        operation: t.String({ description: "Full name: greeter.greet." }),
        code: t.String({ description: "What the caller was told: INTERNAL." }),
        kind: t.String(),
        traceId: t.String({ description: "Finds the lines of the log, which say why." }),
        suppressed: t.Integer({ description: "Failures like it since the last event." }),
      }),
    },
    messageBuried: {
      summary:
        "A subscription gave a message up; told once a minute for each subscription, reason and code.",
      durability: "ephemeral",
      payload: t.Object({
        node: t.String({ description: "Id of the node that gave it up." }),
        bus: t.String({ description: "Name of the engine." }),
        subscription: t.String(),
        topic: t.String(),
        reason: t.String({ description: "Why: retries-exhausted." }),
        code: t.String({ description: "Of the last error." }),
        attempts: t.Integer(),
        deadLetterId: t.String({ description: "As banyan events dead-letters list shows it." }),
        messageId: t.String(),
        suppressed: t.Integer({ description: "Dead letters like it since the last event." }),
      }),
    },
    entriesChanged: {
      summary: "Entries of a store changed, where configuration asks to be told.",
      durability: "ephemeral",
      payload: t.Object({
        node: t.String(),
        service: t.String(),
        store: t.String(),
        scope: t.Optional(t.String({ description: "Of a scoped store." })),
        operation: t.Enum(["set", "delete"]),
        keys: t.Array(t.String(), { description: "At most 100 of them." }),
        more: t.Integer({ description: "How many keys were not named." }),
      }),
    },
    ...meshEvents,
  },
  operations: {
    services: {
      summary: "List the services of this node with their health.",
      idempotent: true,
      response: t.Object({
        node: t.Object({
          id: t.String(),
          version: t.String(),
          pid: t.Integer(),
          url: t.Optional(t.String()),
          startedAt: t.String({ format: "date-time" }),
          uptimeMs: t.Integer(),
          dataDirectory: t.Optional(t.String()),
        }),
        services: t.Array(serviceRow),
      }),
    },
    describe: {
      summary: "Describe a service, or one of its operations, with schemas.",
      idempotent: true,
      request: t.Object({
        service: t.String({ minLength: 1 }),
        operation: t.Optional(t.String({ minLength: 1 })),
      }),
      response: t.Object({
        service: t.Object({
          name: t.String(),
          layer: t.String(),
          version: t.String(),
          summary: t.String(),
          description: t.Optional(t.String()),
          uses: t.Array(t.String()),
          optional: t.Array(t.String()),
          stores: t.Array(
            t.Object({
              name: t.String(),
              durability: t.String(),
              capabilities: t.Array(t.String()),
            }),
          ),
          locks: t.Optional(
            t.Array(
              t.Object({
                name: t.String(),
                durability: t.String(),
                summary: t.Optional(t.String()),
              }),
              { description: "Left out by nodes from before there were locks." },
            ),
          ),
          events: t.Array(
            t.Object({
              name: t.String(),
              topic: t.String(),
              durability: t.String(),
              payload: schemaDocument,
            }),
          ),
          subscriptions: t.Array(subscriptionRow),
          extensionPoints: t.Array(
            t.Object({ name: t.String(), kind: t.String(), summary: t.String() }),
          ),
          errors: t.Array(t.Object({ code: t.String(), kind: t.String(), summary: t.String() })),
        }),
        operations: t.Array(operationRow),
      }),
    },
    config: {
      summary: "Show every setting with its value and where the value came from.",
      idempotent: true,
      response: t.Object({
        files: t.Array(t.String()),
        rows: t.Array(
          t.Object({
            name: t.String(),
            env: t.String(),
            type: t.String(),
            default: t.Optional(t.Unknown()),
            value: t.Optional(t.Unknown()),
            origin: t.String(),
            description: t.String(),
            required: t.Boolean(),
            secret: t.Boolean(),
          }),
        ),
      }),
    },
    mesh: meshOperations,
    state: stateOperations,
    events: eventOperations,
    backup: backupOperations,
    log: logOperations,
    traces: traceOperations,
    telemetry: telemetryOperations,
  },
});
