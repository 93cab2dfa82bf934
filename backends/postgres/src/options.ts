/** What can be set about the PostgreSQL engine, with defaults and bounds; nowhere else. */

import { readFileSync } from "node:fs";
import { assertKnownOptions, stateErrors } from "@banyan/state";
import { assertName, resolveTableOptions, tableConfigurable } from "@banyan/state/internal";
import type { ResolvedTableOptions, TableOptions } from "@banyan/state/internal";

export interface PostgresTls {
  /** Path of the authority that the server's certificate is held against. Default: Node's own. */
  readonly ca?: string;
  /** Path of the client's certificate. Default: none. */
  readonly certificate?: string;
  /** Path of its private key. */
  readonly key?: string;
  /** The name in the server's certificate. Default: the host. */
  readonly serverName?: string;
}

export interface PostgresOptions extends TableOptions {
  /**
   * `postgres://user:password@host:5432/database`; what is also given alone wins over its part. No
   * parameters behind `?`: they have options of their own.
   */
  readonly url?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 5432. */
  readonly port?: number;
  /** Default `banyan`. */
  readonly database?: string;
  /** Default `banyan`. */
  readonly user?: string;
  /** A secret: it is in no message and no log line. Default: none. */
  readonly password?: string;
  /** `true` for TLS by Node's own authorities. Default: no TLS. */
  readonly tls?: PostgresTls | boolean;
  /** Schema of the tables, made if it is not there. Default `banyan`. */
  readonly schema?: string;
}

/** As Node takes it: PEM texts. */
export interface ResolvedTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
}

/** Complete, checked and frozen. */
export interface ResolvedPostgresOptions extends ResolvedTableOptions {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly tls: ResolvedTls | undefined;
  readonly schema: string;
}

const places = ["url", "host", "port", "database", "user", "password", "tls", "schema"];

/** What a configuration may set. */
export const configurable: readonly string[] = [...places, ...tableConfigurable];
const known = ["clock", "random", "log", ...configurable];

/** @throws STATE_OPTION_INVALID */
export function resolvePostgresOptions(options: PostgresOptions): ResolvedPostgresOptions {
  assertKnownOptions(options, known, "The PostgreSQL engine");
  const given = { ...partsOf(options.url), ...options };
  const { host = "127.0.0.1", port = 5432, database = "banyan", user = "banyan" } = given;
  const { password = "", tls = false, schema = "banyan" } = given;
  for (const [name, text] of Object.entries({ host, database, user, password })) {
    if (typeof text === "string" && (text !== "" || name === "password")) continue;
    throw invalid(`${name} must be text`);
  }
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535) {
    throw invalid(`port is ${port}; it must be a whole number from 1 to 65535`);
  }
  assertName("schema", schema);
  const table = resolveTableOptions(options, { tablePrefix: "" });
  return Object.freeze({
    ...table,
    host,
    port,
    database,
    user,
    password,
    tls: tls === false ? undefined : readTls(tls === true ? {} : tls),
    schema,
  });
}

type Parts = Partial<Pick<PostgresOptions, "host" | "port" | "database" | "user" | "password">>;

function partsOf(text: string | undefined): Parts {
  if (text === undefined) return {};
  const url = URL.parse(text);
  if (url === null || !/^postgres(?:ql)?:$/.test(url.protocol)) {
    throw invalid("url must be like postgres://user:password@host:5432/database");
  }
  if (url.search !== "") throw invalid("url has parameters behind ?; use the options instead");
  const database = decodeURIComponent(url.pathname.slice(1));
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...(database === "" ? {} : { database }),
    ...(url.username === "" ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
  };
}

function readTls(tls: PostgresTls): ResolvedTls {
  assertKnownOptions(tls, ["ca", "certificate", "key", "serverName"], "tls");
  const { ca, certificate, key, serverName } = tls;
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
    throw stateErrors.STATE_OPTION_INVALID(`${option} names ${path}, which cannot be read.`, {
      cause,
    });
  }
}

function invalid(why: string): Error {
  return stateErrors.STATE_OPTION_INVALID(`The PostgreSQL engine: ${why}.`);
}
