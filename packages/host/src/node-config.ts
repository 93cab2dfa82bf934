/**
 * The node's own configuration: one section per concern, each key with its unit, bounds, default
 * and the reason for the default. Services bring their own sections.
 */

import { t } from "@banyan/kernel";
import type { Static } from "@banyan/kernel";
import type { ConfigSection } from "@banyan/kernel/internal";
import { faultEventsSchema } from "./fault-config.ts";
import type { FaultEventsConfig } from "./fault-config.ts";
import { meshSchema } from "./mesh-config.ts";
import type { MeshConfig } from "./mesh-config.ts";
import { stateSchema } from "./state-config.ts";
import type { StateConfig } from "./state-config.ts";
import { telemetrySchema } from "./telemetry-config.ts";
import type { TelemetryConfig } from "./telemetry-config.ts";

const nodeSchema = t.Object(
  {
    id: t.Optional(
      t.String({
        minLength: 1,
        maxLength: 64,
        pattern: "^[A-Za-z0-9._-]+$",
        description: "Name of this node. Default: a fresh id at every start.",
      }),
    ),
    dataDir: t.String({
      default: ".banyan",
      minLength: 1,
      description:
        "Directory of everything this node keeps, beside banyan.yaml unless absolute. One process at a time.",
    }),
    startTimeoutMs: t.Integer({
      default: 60_000,
      minimum: 100,
      maximum: 3_600_000,
      description: "How long the start hooks of all services may take together.",
    }),
    stopTimeoutMs: t.Integer({
      default: 10_000,
      minimum: 0,
      maximum: 600_000,
      description:
        "How long a stop waits for calls and events in flight. Under most supervisors' 30 s before SIGKILL.",
    }),
  },
  { description: "This node." },
);

const httpSchema = t.Object(
  {
    enabled: t.Boolean({ default: true, description: "Whether this node serves HTTP at all." }),
    host: t.String({
      default: "127.0.0.1",
      minLength: 1,
      description: "Address to listen on. Loopback until told otherwise.",
    }),
    port: t.Integer({
      default: 7600,
      minimum: 0,
      maximum: 65_535,
      description: "TCP port; 0 takes a free one.",
    }),
    authentication: t.Enum(["admin-token", "off"], {
      default: "admin-token",
      description:
        "Who may call internal operations: whoever shows the admin token of the data directory, or (off) everybody who reaches the port. Off is refused beyond loopback.",
    }),
    allowedHosts: t.Array(t.String({ minLength: 1 }), {
      default: [],
      description:
        "Host names, besides loopback ones, under which this node may be addressed. A web page cannot reach the node under any other name (DNS rebinding).",
    }),
    allowedOrigins: t.Array(t.String({ minLength: 1 }), {
      default: [],
      description: "Origins of other web sites that may call this node from a browser.",
    }),
    bodyBytesMax: t.Integer({
      default: 1_048_576,
      minimum: 1024,
      maximum: 1_073_741_824,
      description: "Largest request body in bytes; an operation may ask for its own.",
    }),
    headerBytesMax: t.Integer({
      default: 16_384,
      minimum: 1024,
      maximum: 1_048_576,
      description: "Largest request head in bytes: Node's own default.",
    }),
    receiveTimeoutMs: t.Integer({
      default: 30_000,
      minimum: 100,
      maximum: 3_600_000,
      description: "How long a client may take to send its request.",
    }),
    keepAliveTimeoutMs: t.Integer({
      default: 5000,
      minimum: 0,
      maximum: 3_600_000,
      description: "How long an idle connection is kept.",
    }),
    connectionsMax: t.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 1_000_000,
      description: "Connections at once; the next one is closed at once.",
    }),
    tls: t.Optional(
      t.Object(
        {
          certFile: t.String({ minLength: 1, description: "Certificate chain, PEM." }),
          keyFile: t.String({ minLength: 1, description: "Private key, PEM." }),
        },
        { description: "Serves HTTPS; the files are read again when they change." },
      ),
    ),
  },
  { description: "The HTTP surface." },
);

const logSchema = t.Object(
  {
    level: t.Enum(["debug", "info", "warn", "error", "silent"], {
      default: "info",
      description: "The least important lines that are written.",
    }),
    format: t.Enum(["auto", "json", "pretty"], {
      default: "auto",
      description: "JSON lines, text for people, or (auto) text on a terminal and JSON elsewhere.",
    }),
    services: t.Record(t.String(), t.Enum(["debug", "info", "warn", "error", "silent"]), {
      default: {},
      description:
        'Levels of single services: { "orders": "debug" }. banyan log level changes them while the node runs.',
    }),
  },
  { description: "The log." },
);

const enginesSchema = t.Object(
  {
    durable: t.String({
      default: "sqlite",
      minLength: 1,
      description: "State engine of durable stores: a short name or a module.",
    }),
    ephemeral: t.String({
      default: "memory",
      minLength: 1,
      description: "State engine of ephemeral stores.",
    }),
    bus: t.String({
      default: "sqlite",
      minLength: 1,
      description: "Bus of durable events: what it accepted survives the process.",
    }),
    ephemeralBus: t.String({
      default: "memory",
      minLength: 1,
      description: "Bus of ephemeral events.",
    }),
    pins: t.Record(t.String(), t.String({ minLength: 1 }), {
      default: {},
      description: 'Engines of single stores: { "greeter.visits": "sqlite" }.',
    }),
  },
  { description: "Which engines hold state and carry events." },
);

const limitsSchema = t.Object(
  {
    inFlightMax: t.Integer({
      default: 10_000,
      minimum: 1,
      maximum: 10_000_000,
      description: "Calls in flight in this node; the next is refused by name.",
    }),
    callTimeoutMs: t.Integer({
      default: 30_000,
      minimum: 1,
      maximum: 3_600_000,
      description: "Deadline of a call whose operation and caller name none.",
    }),
    localValidation: t.Enum(["full", "edge"], {
      default: "full",
      description:
        "Calls between services of this node: validated like any other (full), or only copied, trusting the compiler (edge).",
    }),
    inboxRetentionMs: t.Integer({
      default: 604_800_000,
      minimum: 60_000,
      maximum: 315_360_000_000,
      description:
        "How long the node remembers that an event was handled once; a duplicate that comes later is handled again. 7 days: longer than dead letters usually wait for somebody to come back.",
    }),
  },
  { description: "Bounds of the node." },
);

const outboxSchema = t.Object(
  {
    leaseMs: t.Integer({
      default: 10_000,
      minimum: 500,
      maximum: 3_600_000,
      description:
        "How long what a transaction published stays with the node that published it; then any node may relay it. As long as a dead node's events are late, and longer than a node stands still.",
    }),
    pollMs: t.Integer({
      default: 1000,
      minimum: 20,
      maximum: 600_000,
      description: "Pause between two looks for events that other nodes left behind.",
    }),
    waitingMax: t.Integer({
      default: 1_000_000,
      minimum: 1,
      maximum: 1_000_000_000,
      description:
        "Events that may wait in an outbox for the bus; past it a transaction that publishes is refused.",
    }),
  },
  {
    description:
      "Events on their way from an engine's outbox to a bus of durable events elsewhere.",
  },
);

const discoverSchema = t.Array(t.String({ minLength: 1 }), {
  default: ["services/*"],
  description: "Folders, beside banyan.yaml, in which services are looked for.",
});

/** Everything but the services' sections, resolved. */
export interface NodeConfig {
  readonly node: Static<typeof nodeSchema>;
  readonly http: Static<typeof httpSchema>;
  readonly log: Static<typeof logSchema>;
  readonly engines: Static<typeof enginesSchema>;
  readonly limits: Static<typeof limitsSchema>;
  readonly outbox: Static<typeof outboxSchema>;
  readonly mesh: MeshConfig;
  readonly state: StateConfig;
  readonly faultEvents: FaultEventsConfig;
  readonly telemetry: TelemetryConfig;
  readonly discover: readonly string[];
}

/** The node's sections in the order in which they are documented. */
export const nodeSections: readonly ConfigSection[] = [
  {
    path: ["node"],
    envPrefix: "BANYAN_NODE",
    schema: nodeSchema,
    envNames: { "/dataDir": "BANYAN_DATA_DIR" },
  },
  { path: ["http"], envPrefix: "BANYAN_HTTP", schema: httpSchema },
  { path: ["log"], envPrefix: "BANYAN_LOG", schema: logSchema },
  { path: ["engines"], envPrefix: "BANYAN_ENGINES", schema: enginesSchema },
  { path: ["limits"], envPrefix: "BANYAN_LIMITS", schema: limitsSchema },
  { path: ["outbox"], envPrefix: "BANYAN_OUTBOX", schema: outboxSchema },
  { path: ["mesh"], envPrefix: "BANYAN_MESH", schema: meshSchema },
  { path: ["state"], envPrefix: "BANYAN_STATE", schema: stateSchema },
  { path: ["faultEvents"], envPrefix: "BANYAN_FAULT_EVENTS", schema: faultEventsSchema },
  { path: ["telemetry"], envPrefix: "BANYAN_TELEMETRY", schema: telemetrySchema },
  { path: ["discover"], envPrefix: "BANYAN_DISCOVER", schema: discoverSchema },
];
