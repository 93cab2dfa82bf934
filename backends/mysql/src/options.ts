/** What can be set about the MySQL engine, with defaults and bounds; nowhere else. */

import { readFileSync } from "node:fs";
import { isIP } from "node:net";
import { assertKnownOptions, stateErrors } from "@banyan/state";
import { resolveTableOptions, tableConfigurable } from "@banyan/state/internal";
import type { ResolvedTableOptions, TableOptions } from "@banyan/state/internal";

/** Files, as PEM. */
export interface MysqlTls {
  /** Path of the authority that the server's certificate is held against. Default: Node's own. */
  readonly ca?: string;
  /** Path of the client's certificate. Default: none. */
  readonly certificate?: string;
  /** Path of its private key. */
  readonly key?: string;
  /** The name in the server's certificate. Default: the host; needed where that is an address. */
  readonly serverName?: string;
}

export interface MysqlOptions extends TableOptions {
  /**
   * `mysql://user:password@host:3306/database`; what is also given alone wins over its part. No
   * parameters behind `?`: they have options of their own.
   */
  readonly url?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default 3306. */
  readonly port?: number;
  /** Default `banyan`. */
  readonly database?: string;
  /** Default `banyan`. */
  readonly user?: string;
  /** A secret: it is in no message and no log line. Default: none. */
  readonly password?: string;
  /** `true` for TLS by Node's own authorities. Default: no TLS. */
  readonly tls?: MysqlTls | boolean;
}

/** As Node takes it: PEM texts. */
export interface ResolvedTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly serverName: string;
}

/** Complete, checked and frozen. */
export interface ResolvedMysqlOptions extends ResolvedTableOptions {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
  readonly tls: ResolvedTls | undefined;
}

const places = ["url", "host", "port", "database", "user", "password", "tls"];

/** What a configuration may set. */
export const configurable: readonly string[] = [...places, ...tableConfigurable];
const known = ["clock", "random", "log", ...configurable];

/** @throws STATE_OPTION_INVALID */
export function resolveMysqlOptions(options: MysqlOptions): ResolvedMysqlOptions {
  assertKnownOptions(options, known, "The MySQL engine");
  const given = { ...partsOf(options.url), ...options };
  const { host = "127.0.0.1", port = 3306, database = "banyan", user = "banyan" } = given;
  const { password = "", tls = false } = given;
  for (const [name, text] of Object.entries({ host, database, user, password })) {
    if (typeof text === "string" && (text !== "" || name === "password")) continue;
    throw invalid(`${name} must be text`);
  }
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535) {
    throw invalid(`port is ${port}; it must be a whole number from 1 to 65535`);
  }
  const table = resolveTableOptions(options, { tablePrefix: "banyan_" });
  return Object.freeze({
    ...table,
    host,
    port,
    database,
    user,
    password,
    tls: tls === false ? undefined : readTls(tls === true ? {} : tls, host),
  });
}

type Parts = Partial<Pick<MysqlOptions, "host" | "port" | "database" | "user" | "password">>;

function partsOf(text: string | undefined): Parts {
  if (text === undefined) return {};
  const url = URL.parse(text);
  if (url === null || !/^(?:mysql|mariadb):$/.test(url.protocol)) {
    throw invalid("url must be like mysql://user:password@host:3306/database");
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

function readTls(tls: MysqlTls, host: string): ResolvedTls {
  assertKnownOptions(tls, ["ca", "certificate", "key", "serverName"], "tls");
  const { ca, certificate, key, serverName = host } = tls;
  if (isIP(serverName) !== 0) {
    // The driver holds a certificate against a name only; an address would pass unheld.
    throw invalid(`tls.serverName must say the name in the certificate, for ${host} is an address`);
  }
  return {
    ...(ca === undefined ? {} : { ca: readPem("tls.ca", ca) }),
    ...(certificate === undefined ? {} : { cert: readPem("tls.certificate", certificate) }),
    ...(key === undefined ? {} : { key: readPem("tls.key", key) }),
    serverName,
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
  return stateErrors.STATE_OPTION_INVALID(`The MySQL engine: ${why}.`);
}
