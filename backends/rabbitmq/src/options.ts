/** What can be set about the RabbitMQ bus, with defaults and bounds; nowhere else. */

import { readFileSync } from "node:fs";
import { silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { nearest } from "@banyan/kernel/internal";
import { messagingErrors } from "@banyan/messaging";
import type { DeadLetter } from "@banyan/messaging";
import type { Metrics } from "@banyan/telemetry";

/** Paths of PEM files. */
export interface RabbitmqTls {
  /** Path of the authority that the server's certificate is held against. Default: Node's own. */
  readonly ca?: string;
  /** Path of the client's certificate. Default: none. */
  readonly certificate?: string;
  /** Path of its private key. */
  readonly key?: string;
  /** The name in the server's certificate. Default: the host. */
  readonly serverName?: string;
}

/** `quorum`: replicated, on disk. `classic`: on one member of a cluster. */
export type QueueType = "quorum" | "classic";

/** `plain`: properties of AMQP and headers. `cloudevents`: CloudEvents 1.0, binary content mode. */
export type MessageFormat = "plain" | "cloudevents";

/**
 * What becomes of a process whose messages wait too long. `refuse`: it takes no more and goes on.
 * `stop`: it says so by `onFatal` as well, and is ended in an orderly way.
 */
export type OutboundPolicy = "refuse" | "stop";

export interface RabbitmqOptions {
  /**
   * `amqp://user:password@host:5672/vhost`, `amqps://…` for TLS. Default `amqp://127.0.0.1`, as
   * guest. No parameters behind `?`.
   */
  readonly url?: string;
  /** Members of a cluster, `host:port`, tried in turn; the url gives everything else. */
  readonly hosts?: readonly string[];
  readonly username?: string;
  /** A secret: it is in no message and no log line. */
  readonly password?: string;
  readonly vhost?: string;
  /** `true` for TLS by Node's own authorities. Default: no TLS. */
  readonly tls?: RabbitmqTls | boolean;
  /** Of what is published; both are read, whatever it says. Default `plain`. */
  readonly format?: MessageFormat;
  /** What the names of all exchanges and queues begin with. Default `banyan`. */
  readonly namespace?: string;
  /** Of groups and dead letters that are new. Default `quorum`. */
  readonly queueType?: QueueType;
  /**
   * Messages may have a priority. Needs `queueType: classic`; to consume takes half as long again
   * then. Of groups that are new. Default false.
   */
  readonly priorities?: boolean;
  /** Milliseconds a start waits for the server, 10 … 600 000. Default 10 000. */
  readonly connectTimeoutMs?: number;
  /** Seconds between heartbeats; a server silent for two of them is hung up on. Default 5. */
  readonly heartbeatS?: number;
  /** As of every bus. Default 1 000 000. */
  readonly bufferMax?: number;
  /** As of every bus. Default 1 Mi characters. */
  readonly bodySizeMax?: number;
  /** Milliseconds a publish waits: for room, for the server, for its confirm. Default 5000. */
  readonly publishTimeoutMs?: number;
  /** Of each subscription; past it the oldest is dropped by the server. Default 100 000. */
  readonly deadLettersMax?: number;
  /**
   * Milliseconds after which the server drops a dead letter, 1000 … 2 592 000 000 (30 days); of
   * subscriptions that are new. Default: never, as on every other bus.
   */
  readonly deadLettersMaxAgeMs?: number | undefined;
  /** Messages that wait for the server, 1 … 10 000 000. Default 500 000. */
  readonly outboundMax?: number;
  /** Bytes of them, 1024 … 8 Gi. Default 256 Mi. */
  readonly outboundBytesMax?: number;
  /** Age of the oldest of them, 1000 … 86 400 000 ms. Default 600 000 (ten minutes). */
  readonly outboundAgeMaxMs?: number;
  /**
   * Milliseconds for which the server keeps what a broadcast gets while its process is away, 1000 …
   * 86 400 000. Default 60 000: longer than a restart of the server or a network that is mended.
   */
  readonly broadcastKeptMs?: number;
  /** When the oldest is too old, or the row was full for as long. Default `refuse`. */
  readonly outboundPolicy?: OutboundPolicy;
  /** Partitions of an ordered group that is new, 1 … 64. Default 8. */
  readonly partitions?: number;
  /** Told once, with RABBITMQ_OUTAGE. `outboundPolicy: "stop"` needs it. */
  readonly onFatal?: ((error: Error) => void) | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
  readonly log?: Log | undefined;
  /** Where it counts what only it can see. Left out: it counts nothing. */
  readonly metrics?: Metrics | undefined;
  /** Told of each message that a subscription of this process gave up, once its letter is safe. */
  readonly onDeadLetter?: ((letter: DeadLetter) => void) | undefined;
}

/** Where one server is. */
export interface ServerPlace {
  readonly host: string;
  readonly port: number;
}

/** As Node takes it. */
export interface TlsTexts {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Complete, checked and frozen. */
export interface ResolvedRabbitmqOptions {
  readonly places: readonly [ServerPlace, ...ServerPlace[]];
  readonly username: string;
  readonly password: string;
  readonly vhost: string;
  readonly tls: TlsTexts | undefined;
  readonly format: MessageFormat;
  readonly namespace: string;
  readonly queueType: QueueType;
  readonly priorities: boolean;
  readonly connectTimeoutMs: number;
  readonly heartbeatS: number;
  readonly bufferMax: number;
  readonly bodySizeMax: number;
  readonly publishTimeoutMs: number;
  readonly deadLettersMax: number;
  /** `undefined`: a letter stays. */
  readonly deadLettersMaxAgeMs: number | undefined;
  readonly outboundMax: number;
  readonly outboundBytesMax: number;
  readonly outboundAgeMaxMs: number;
  readonly broadcastKeptMs: number;
  /** Set where the policy is `stop`. */
  readonly onOutage: ((error: Error) => void) | undefined;
  readonly partitions: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics | undefined;
  readonly onDeadLetter: ((letter: DeadLetter) => void) | undefined;
}

const numbers = {
  connectTimeoutMs: { min: 10, max: 600_000, usual: 10_000 },
  heartbeatS: { min: 1, max: 600, usual: 5 },
  bufferMax: { min: 1, max: 1_000_000, usual: 1_000_000 },
  bodySizeMax: { min: 1, max: 64 * 1024 * 1024, usual: 1024 * 1024 },
  publishTimeoutMs: { min: 0, max: 3_600_000, usual: 5000 },
  deadLettersMax: { min: 1, max: 1_000_000, usual: 100_000 },
  deadLettersMaxAgeMs: { min: 1000, max: 2_592_000_000, usual: 0 }, // left out: never
  outboundMax: { min: 1, max: 10_000_000, usual: 500_000 },
  outboundBytesMax: { min: 1024, max: 8 * 1024 ** 3, usual: 256 * 1024 ** 2 },
  outboundAgeMaxMs: { min: 1000, max: 86_400_000, usual: 600_000 },
  broadcastKeptMs: { min: 1000, max: 86_400_000, usual: 60_000 },
  partitions: { min: 1, max: 64, usual: 8 },
} as const;
type NumberName = keyof typeof numbers;

const texts = ["url", "username", "password", "vhost"] as const;

/** What a configuration may set. */
export const configurable: readonly string[] = [
  ...texts,
  "hosts",
  "tls",
  "format",
  "namespace",
  "queueType",
  "priorities",
  "outboundPolicy",
  ...Object.keys(numbers),
];

/** And what only a program may give. */
const ports = ["clock", "random", "log", "metrics", "onDeadLetter", "onFatal"] as const;

/** @throws MESSAGING_OPTIONS_INVALID */
export function resolveRabbitmqOptions(options: RabbitmqOptions = {}): ResolvedRabbitmqOptions {
  assertKnown(options, [...configurable, ...ports], "The RabbitMQ bus");
  const { clock = systemClock, random = systemRandom, log = silentLog } = options;
  const { namespace = "banyan", queueType = "quorum", priorities = false } = options;
  const { format = "plain" } = options;
  for (const name of texts) {
    if (options[name] === undefined || typeof options[name] === "string") continue;
    throw invalid(`${name} is no text`); // what it is instead may be a secret
  }
  if (format !== "plain" && format !== "cloudevents") {
    throw invalid('format must be "plain" or "cloudevents"');
  }
  if (typeof namespace !== "string" || !/^[\w-]{1,32}$/.test(namespace)) {
    throw invalid("namespace must be 1 to 32 of A-Za-z0-9_-");
  }
  if (queueType !== "quorum" && queueType !== "classic") {
    throw invalid('queueType must be "quorum" or "classic"');
  }
  if (typeof priorities !== "boolean") throw invalid("priorities must be true or false");
  if (priorities && queueType !== "classic") {
    throw invalid('priorities need queueType "classic": RabbitMQ\'s quorum queues have none');
  }
  return Object.freeze({
    ...placeOf(options),
    format,
    namespace,
    queueType,
    priorities,
    connectTimeoutMs: read(options, "connectTimeoutMs"),
    heartbeatS: read(options, "heartbeatS"),
    bufferMax: read(options, "bufferMax"),
    bodySizeMax: read(options, "bodySizeMax"),
    publishTimeoutMs: read(options, "publishTimeoutMs"),
    deadLettersMax: read(options, "deadLettersMax"),
    deadLettersMaxAgeMs:
      options.deadLettersMaxAgeMs === undefined ? undefined : read(options, "deadLettersMaxAgeMs"),
    outboundMax: read(options, "outboundMax"),
    outboundBytesMax: read(options, "outboundBytesMax"),
    outboundAgeMaxMs: read(options, "outboundAgeMaxMs"),
    broadcastKeptMs: read(options, "broadcastKeptMs"),
    onOutage: outageOf(options),
    partitions: read(options, "partitions"),
    clock,
    random,
    log,
    metrics: options.metrics,
    onDeadLetter: options.onDeadLetter,
  });
}

function read(options: RabbitmqOptions, name: NumberName): number {
  const { min, max, usual } = numbers[name];
  const value: unknown = options[name] ?? usual;
  if (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max) {
    return value;
  }
  throw invalid(`${name} must be a whole number from ${min} to ${max}`);
}

function outageOf({ outboundPolicy = "refuse", onFatal }: RabbitmqOptions) {
  if (outboundPolicy === "refuse") return undefined;
  if (outboundPolicy !== "stop") throw invalid('outboundPolicy must be "refuse" or "stop"');
  if (onFatal === undefined)
    throw invalid('outboundPolicy "stop" needs onFatal, which nobody gave');
  return onFatal;
}

type Place = Pick<ResolvedRabbitmqOptions, "places" | "username" | "password" | "vhost" | "tls">;

function placeOf(options: RabbitmqOptions): Place {
  const { url: text = "amqp://127.0.0.1" } = options;
  const url = URL.parse(text);
  if (url === null || !/^amqps?:\/\//.test(text)) {
    throw invalid("url must be like amqp://user:password@host:5672/vhost, or amqps:// for TLS");
  }
  if (url.search !== "" || url.hash !== "") {
    throw invalid("url has parameters behind ? or #; use the options instead");
  }
  const isSecure = url.protocol === "amqps:";
  const host = url.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1";
  const port = url.port === "" ? (isSecure ? 5671 : 5672) : Number(url.port);
  const { hosts } = options;
  if (hosts !== undefined && (!Array.isArray(hosts) || hosts.length === 0)) {
    throw invalid('hosts must be a list of members, such as ["10.0.0.1:5672"]');
  }
  const [first, ...others] = (hosts ?? []).map((member) => memberOf(member, port));
  const path = decoded(url.pathname.slice(1));
  return {
    places: [first ?? { host, port }, ...others],
    username: options.username ?? (decoded(url.username) || "guest"),
    password: options.password ?? (decoded(url.password) || "guest"),
    vhost: options.vhost ?? (path || "/"),
    tls: tlsOf(options.tls, isSecure),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw invalid("url has a % that stands for nothing; write %25 for the sign itself");
  }
}

function memberOf(member: unknown, usualPort: number): ServerPlace {
  const [, host, port] = /^\[?([^\s[\]]+?)\]?(?::(\d{1,5}))?$/.exec(String(member)) ?? [];
  if (host === undefined || typeof member !== "string") {
    throw invalid(`hosts has ${JSON.stringify(member)}; a member is written host:port`);
  }
  return { host, port: port === undefined ? usualPort : Number(port) };
}

function tlsOf(tls: unknown, isImplied: boolean): TlsTexts | undefined {
  if (tls === undefined || tls === true) return isImplied || tls === true ? {} : undefined;
  if (tls === false) {
    if (!isImplied) return undefined;
    throw invalid("tls is false and url begins with amqps:; drop one of them");
  }
  if (typeof tls !== "object" || tls === null) throw invalid("tls must be true or its options");
  assertKnown(tls, ["ca", "certificate", "key", "serverName"], "The RabbitMQ bus's tls");
  for (const [name, value] of Object.entries(tls)) {
    if (value !== undefined && typeof value !== "string") throw invalid(`tls.${name} must be text`);
  }
  // Just checked: known names, and texts.
  const { ca, certificate, key, serverName } = tls as RabbitmqTls;
  if ((certificate === undefined) !== (key === undefined)) {
    throw invalid("tls.certificate and tls.key go together; give both");
  }
  return {
    ...(ca === undefined ? {} : { ca: readPem("tls.ca", ca) }),
    ...(certificate === undefined ? {} : { cert: readPem("tls.certificate", certificate) }),
    ...(key === undefined ? {} : { key: readPem("tls.key", key) }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
}

function readPem(option: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw messagingErrors.MESSAGING_OPTIONS_INVALID(
      `${option} names ${path}, which cannot be read.`,
      { cause },
    );
  }
}

/** @throws MESSAGING_OPTIONS_INVALID with the nearest known name */
export function assertKnown(options: object, known: readonly string[], what: string): void {
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    const hint = meant === undefined ? "" : `; did you mean "${meant}"?`;
    throw messagingErrors.MESSAGING_OPTIONS_INVALID(
      `${what} has no option "${name}"${hint || "."}`,
    );
  }
}

function invalid(why: string): Error {
  return messagingErrors.MESSAGING_OPTIONS_INVALID(`The RabbitMQ bus: ${why}.`);
}
