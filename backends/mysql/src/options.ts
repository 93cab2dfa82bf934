/** What can be set about the MySQL engine, with defaults and bounds; nowhere else. */

import { isIP } from "node:net";
import { assertKnownOptions } from "@banyan/state";
import {
  invalidServerOption,
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

export interface MysqlTls extends TlsFiles {
  /** The name in the server's certificate. Default: the host; needed where that is an address. */
  readonly serverName?: string;
}

export interface MysqlOptions extends ServerOptions, TableOptions {
  /** `true` for TLS by Node's own authorities. Default: no TLS. */
  readonly tls?: MysqlTls | boolean;
}

/** As Node takes it. */
export interface ResolvedTls extends TlsTexts {
  readonly serverName: string;
}

/** Complete, checked and frozen. */
export interface ResolvedMysqlOptions extends ResolvedTableOptions, ServerPlace {
  readonly tls: ResolvedTls | undefined;
}

const kind: ServerKind = {
  what: "The MySQL engine",
  schemes: ["mysql", "mariadb"],
  port: 3306,
};

/** What a configuration may set. */
export const configurable: readonly string[] = [...serverConfigurable, "tls", ...tableConfigurable];
const known = ["clock", "random", "log", ...configurable];

/** @throws STATE_OPTION_INVALID */
export function resolveMysqlOptions(options: MysqlOptions): ResolvedMysqlOptions {
  assertKnownOptions(options, known, kind.what);
  const place = resolveServerPlace(options, kind);
  const { tls = false } = options;
  const table = resolveTableOptions(options, { tablePrefix: "banyan_" });
  return Object.freeze({
    ...table,
    ...place,
    tls: tls === false ? undefined : readTls(tls === true ? {} : tls, place.host),
  });
}

function readTls(tls: MysqlTls, host: string): ResolvedTls {
  const { serverName = host } = tls;
  const texts = readTlsFiles(tls);
  if (isIP(serverName) !== 0) {
    // The driver holds a certificate against a name only; an address would pass unheld.
    const why = `tls.serverName must say the name in the certificate, for ${host} is an address`;
    throw invalidServerOption(kind, why);
  }
  return { ...texts, serverName };
}
