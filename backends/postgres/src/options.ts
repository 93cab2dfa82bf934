/** What can be set about the PostgreSQL engine, with defaults and bounds; nowhere else. */

import { assertKnownOptions } from "@banyan/state";
import {
  assertName,
  readTlsFiles,
  resolveServerPlace,
  resolveTableOptions,
  serverConfigurable,
  tableConfigurable,
} from "@banyan/state/internal";
import type {
  ResolvedTableOptions,
  ServerKind,
  ServerOptions,
  ServerPlace,
  TableOptions,
  TlsFiles,
  TlsTexts,
} from "@banyan/state/internal";

export interface PostgresTls extends TlsFiles {
  /** The name in the server's certificate. Default: the host. */
  readonly serverName?: string;
}

export interface PostgresOptions extends ServerOptions, TableOptions {
  /** `true` for TLS by Node's own authorities. Default: no TLS. */
  readonly tls?: PostgresTls | boolean;
  /** Schema of the tables, made if it is not there. Default `banyan`. */
  readonly schema?: string;
}

/** As Node takes it. */
export interface ResolvedTls extends TlsTexts {
  readonly servername?: string;
}

/** Complete, checked and frozen. */
export interface ResolvedPostgresOptions extends ResolvedTableOptions, ServerPlace {
  readonly tls: ResolvedTls | undefined;
  readonly schema: string;
}

const kind: ServerKind = {
  what: "The PostgreSQL engine",
  schemes: ["postgres", "postgresql"],
  port: 5432,
};

/** What a configuration may set. */
export const configurable: readonly string[] = [
  ...serverConfigurable,
  "tls",
  "schema",
  ...tableConfigurable,
];
const known = ["clock", "random", "log", ...configurable];

/** @throws STATE_OPTION_INVALID */
export function resolvePostgresOptions(options: PostgresOptions): ResolvedPostgresOptions {
  assertKnownOptions(options, known, kind.what);
  const place = resolveServerPlace(options, kind);
  const { tls = false, schema = "banyan" } = options;
  assertName("schema", schema);
  const table = resolveTableOptions(options, { tablePrefix: "" });
  return Object.freeze({
    ...table,
    ...place,
    tls: tls === false ? undefined : readTls(tls === true ? {} : tls),
    schema,
  });
}

function readTls(tls: PostgresTls): ResolvedTls {
  const { serverName } = tls;
  const texts = readTlsFiles(tls);
  return serverName === undefined ? texts : { ...texts, servername: serverName };
}
