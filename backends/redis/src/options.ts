/** What can be set about the Redis engine, with defaults and bounds; nowhere else. */

import { silentLog, systemClock, systemRandom } from "@banyan/kernel";
import type { Clock, Log, Random } from "@banyan/kernel";
import { assertKnownOptions, assertWithin, stateErrors } from "@banyan/state";

/** Paths of PEM files, read when the engine is opened. */
export interface RedisTls {
  /** Whom to trust. Default: the authorities that Node ships. */
  readonly ca?: string;
  /** Ours, where the server asks for one; only together with `key`. */
  readonly certificate?: string;
  readonly key?: string;
  /** The name its certificate must have. Default: the host that is connected to. */
  readonly servername?: string;
}

export interface RedisOptions {
  /**
   * `redis://host:port/database`, `rediss://…` for TLS, `unix:///path`. Default
   * redis://127.0.0.1:6379, where a Redis listens as it comes. May hold username and password; the
   * options of these names win.
   */
  readonly url?: string;
  /** Some members of a Cluster, `host:port`; the rest is found. Excludes `url`, `database`. */
  readonly cluster?: readonly string[];
  /** Default: the user `default`. */
  readonly username?: string;
  /** Never shown, in no message and no log. Default: none. */
  readonly password?: string;
  /** 0 … 1 000 000. Default 0, or what `url` says. */
  readonly database?: number;
  /**
   * What all keys begin with, 1 … 64 of A-Z a-z 0-9 . _ -. Default `banyan`. Nodes that shall not
   * see each other's entries on one server need one each.
   */
  readonly keyPrefix?: string;
  /** Speak TLS. Default: only where `url` is `rediss:`. */
  readonly tls?: RedisTls | boolean;
  /**
   * How long a request may take in all, waiting for a connection included, 10 … 600 000 ms. Default
   * 5000: a server that is well answers a thousand times faster, and a caller waits no longer.
   */
  readonly commandTimeoutMs?: number;
  /** How long opening waits for a server, 10 … 600 000 ms. Default 10 000: both may start. */
  readonly connectTimeoutMs?: number;
  /**
   * Requests of one connection that are sent or wait to be, 1 … 10 000 000. Default 100 000: half a
   * second's work. One more fails with STATE_ENGINE_UNAVAILABLE, not sent.
   */
  readonly requestsWaitingMax?: number;
  /** Pause between two sweeps of the indexes, 100 … 86 400 000 ms. Default 30 000. */
  readonly sweepIntervalMs?: number;
  /** For deadlines and pauses; when entries end is the server's to say. Default: the real clock. */
  readonly clock?: Clock;
  /** For etags and the jitter of retries. Default: the real source. */
  readonly random?: Random;
  /** Default: none. */
  readonly log?: Log;
}

/** Where one server is. */
export type RedisPlace =
  | { readonly host: string; readonly port: number }
  | { readonly path: string };

/** Complete, checked and frozen. */
export interface ResolvedRedisOptions {
  /** One, or the members of a Cluster that are known. */
  readonly places: readonly RedisPlace[];
  readonly isCluster: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number;
  readonly keyPrefix: string;
  readonly tls: RedisTls | undefined;
  readonly commandTimeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly requestsWaitingMax: number;
  readonly sweepIntervalMs: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** What a configuration may set. */
export const configurable = [
  "url",
  "cluster",
  "username",
  "password",
  "database",
  "keyPrefix",
  "tls",
  "commandTimeoutMs",
  "connectTimeoutMs",
  "requestsWaitingMax",
  "sweepIntervalMs",
];
const known = [...configurable, "clock", "random", "log"];
const defaultUrl = "redis://127.0.0.1:6379";
const defaultPort = 6379;

/** @throws STATE_OPTION_INVALID */
export function resolveRedisOptions(options: RedisOptions = {}): ResolvedRedisOptions {
  assertKnownOptions(options, known, "The Redis engine");
  const { clock = systemClock, random = systemRandom, log = silentLog } = options;
  const { commandTimeoutMs = 5000, connectTimeoutMs = 10_000 } = options;
  const { requestsWaitingMax = 100_000, sweepIntervalMs = 30_000, keyPrefix = "banyan" } = options;
  assertWithin("commandTimeoutMs", commandTimeoutMs, { min: 10, max: 600_000 });
  assertWithin("connectTimeoutMs", connectTimeoutMs, { min: 10, max: 600_000 });
  assertWithin("requestsWaitingMax", requestsWaitingMax, { min: 1, max: 10_000_000 });
  assertWithin("sweepIntervalMs", sweepIntervalMs, { min: 100, max: 86_400_000 });
  if (!isText(keyPrefix) || !/^[\w.-]{1,64}$/.test(keyPrefix)) {
    throw invalid(`keyPrefix is ${JSON.stringify(keyPrefix)}; it must be 1 to 64 of A-Za-z0-9._-.`);
  }
  const target = targetOf(options);
  assertWithin("database", target.database, { min: 0, max: 1_000_000 });
  return Object.freeze({
    ...target,
    keyPrefix,
    commandTimeoutMs,
    connectTimeoutMs,
    requestsWaitingMax,
    sweepIntervalMs,
    clock,
    random,
    log,
  });
}

type Target = Pick<
  ResolvedRedisOptions,
  "places" | "isCluster" | "username" | "password" | "database" | "tls"
>;

function targetOf(options: RedisOptions): Target {
  const { cluster, url } = options;
  for (const name of ["url", "username", "password"] as const) {
    if (options[name] === undefined || isText(options[name])) continue;
    throw invalid(`${name} is no text.`); // what it is instead may be a secret
  }
  if (cluster !== undefined) {
    if (url !== undefined || options.database !== undefined) {
      throw invalid("cluster excludes url and database: a Cluster has many servers, one database.");
    }
    if (!Array.isArray(cluster) || cluster.length === 0) {
      throw invalid('cluster must be a list of members, such as ["10.0.0.1:6379"].');
    }
    const { username, password } = options;
    const places = cluster.map(placeOf);
    const tls = tlsOf(options.tls, false);
    return { places, isCluster: true, username, password, database: 0, tls };
  }
  const parsed = URL.parse(url ?? defaultUrl);
  if (parsed === null || !/^(?:rediss?|unix):$/.test(parsed.protocol)) {
    throw invalid("url must be redis://host:port/database, rediss://… or unix:///path.");
  }
  const isUnix = parsed.protocol === "unix:";
  const path = decodeURIComponent(parsed.pathname);
  const host = parsed.hostname.replace(/^\[|\]$/g, "") || "127.0.0.1";
  const place = isUnix ? { path } : { host, port: Number(parsed.port || defaultPort) };
  const database = options.database ?? (isUnix ? 0 : Number(path.slice(1) || 0));
  return {
    places: [place],
    isCluster: false,
    username: options.username ?? (decodeURIComponent(parsed.username) || undefined),
    password: options.password ?? (decodeURIComponent(parsed.password) || undefined),
    database,
    tls: tlsOf(options.tls, parsed.protocol === "rediss:"),
  };
}

function placeOf(member: unknown): RedisPlace {
  const [, host, port = ""] = /^\[?([^\s[\]]+?)\]?(?::(\d{1,5}))?$/.exec(String(member)) ?? [];
  if (host === undefined || !isText(member)) {
    throw invalid(`cluster has ${JSON.stringify(member)}; a member is written host:port.`);
  }
  return { host, port: Number(port || defaultPort) };
}

function tlsOf(tls: unknown, isImplied: boolean): RedisTls | undefined {
  if (tls === undefined || tls === true) return isImplied || tls === true ? {} : undefined;
  if (tls === false) {
    if (!isImplied) return undefined;
    throw invalid("tls is false and url begins with rediss:; drop one of them.");
  }
  if (typeof tls !== "object" || tls === null) throw invalid("tls must be true or its options.");
  const names = ["ca", "certificate", "key", "servername"];
  assertKnownOptions(tls, names, "The Redis engine's tls");
  for (const [name, value] of Object.entries(tls)) {
    if (value !== undefined && !isText(value)) throw invalid(`tls.${name} must be text.`);
  }
  // Just checked: known names, and texts.
  const checked = tls as RedisTls;
  if ((checked.certificate === undefined) === (checked.key === undefined)) return checked;
  throw invalid("tls.certificate and tls.key go together; give both.");
}

function isText(value: unknown): value is string {
  return typeof value === "string";
}

function invalid(message: string): Error {
  return stateErrors.STATE_OPTION_INVALID(`The Redis engine: ${message}`);
}
