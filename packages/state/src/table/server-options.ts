/** What can be set about reaching a database server, for every engine that has one. */

import { readFileSync } from "node:fs";
import { assertKnownOptions } from "../options.ts";
import { stateErrors } from "../errors.ts";

/** Where the server is, and as whom it is spoken to. */
export interface ServerOptions {
  /**
   * Such as `postgres://user:password@host:5432/database`; what is also given alone wins over its
   * part. No parameters behind `?`: they have options of their own.
   */
  readonly url?: string;
  /** Default `127.0.0.1`. */
  readonly host?: string;
  /** Default: the server's usual one. */
  readonly port?: number;
  /** Default `banyan`. */
  readonly database?: string;
  /** Default `banyan`. */
  readonly user?: string;
  /** A secret: it is in no message and no log line. Default: none. */
  readonly password?: string;
}

/** Paths of PEM files. */
export interface TlsFiles {
  /** Path of the authority that the server's certificate is held against. Default: Node's own. */
  readonly ca?: string;
  /** Path of the client's certificate. Default: none. */
  readonly certificate?: string;
  /** Path of its private key. */
  readonly key?: string;
}

/** PEM texts, by the names that Node has for them. */
export interface TlsTexts {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export type ServerPlace = Readonly<Required<Omit<ServerOptions, "url">>>;

/** What differs by server. */
export interface ServerKind {
  /** Begins its messages: "The PostgreSQL engine". */
  readonly what: string;
  /** What a url begins with, the one to show first. */
  readonly schemes: readonly [string, ...string[]];
  readonly port: number;
}

/** What a configuration may set of it. */
export const serverConfigurable: readonly string[] = [
  "url",
  "host",
  "port",
  "database",
  "user",
  "password",
];

/** Known names are for the engine to check. @throws STATE_OPTION_INVALID */
export function resolveServerPlace(options: ServerOptions, kind: ServerKind): ServerPlace {
  const given = { ...partsOf(options.url, kind), ...options };
  const { host = "127.0.0.1", port = kind.port, database = "banyan", user = "banyan" } = given;
  const { password = "" } = given;
  for (const [name, text] of Object.entries({ host, database, user, password })) {
    if (typeof text === "string" && (text !== "" || name === "password")) continue;
    throw invalidServerOption(kind, `${name} must be text`);
  }
  if (!Number.isSafeInteger(port) || port < 1 || port > 65_535) {
    throw invalidServerOption(kind, `port is ${port}; it must be a whole number from 1 to 65535`);
  }
  return { host, port, database, user, password };
}

/** @throws STATE_OPTION_INVALID for a file that cannot be read, and for unknown names */
export function readTlsFiles(tls: TlsFiles & { readonly serverName?: string }): TlsTexts {
  assertKnownOptions(tls, ["ca", "certificate", "key", "serverName"], "tls");
  const { ca, certificate, key } = tls;
  return {
    ...(ca === undefined ? {} : { ca: readPem("tls.ca", ca) }),
    ...(certificate === undefined ? {} : { cert: readPem("tls.certificate", certificate) }),
    ...(key === undefined ? {} : { key: readPem("tls.key", key) }),
  };
}

export function invalidServerOption({ what }: ServerKind, why: string): Error {
  return stateErrors.STATE_OPTION_INVALID(`${what}: ${why}.`);
}

function partsOf(text: string | undefined, kind: ServerKind): Partial<ServerPlace> {
  if (text === undefined) return {};
  const url = URL.parse(text);
  const [scheme] = kind.schemes;
  if (url === null || !kind.schemes.includes(url.protocol.slice(0, -1))) {
    const like = `${scheme}://user:password@host:${kind.port}/database`;
    throw invalidServerOption(kind, `url must be like ${like}`);
  }
  if (url.search !== "") {
    throw invalidServerOption(kind, "url has parameters behind ?; use the options instead");
  }
  const database = decodeURIComponent(url.pathname.slice(1));
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    ...(url.port === "" ? {} : { port: Number(url.port) }),
    ...(database === "" ? {} : { database }),
    ...(url.username === "" ? {} : { user: decodeURIComponent(url.username) }),
    ...(url.password === "" ? {} : { password: decodeURIComponent(url.password) }),
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
