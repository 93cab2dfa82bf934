/**
 * Connections to one PostgreSQL: how they are made, and how they are ended when a server no longer
 * answers.
 */

import { Socket } from "node:net";
import pg from "pg";
import type { Client, ClientConfig } from "pg";
import type { ResolvedPostgresOptions } from "./options.ts";

/**
 * Every statement goes by an index. Left to guess how long a list is, the planner reads the whole
 * table for sixteen keys as long as the table is of some ten thousand rows, three times as slow.
 * Refusing plans makes them dear, which would call the compiler: it is off.
 */
const planned = ["enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"].reduce(
  (text, name) => `${text} -c ${name}=off`,
  "-c plan_cache_mode=force_generic_plan",
);

/** Host, port and database; never a secret. */
export function placeOf({ host, port, database }: ResolvedPostgresOptions): string {
  return `${host}:${port}/${database}`;
}

export interface OwnedClient {
  readonly client: Client;
  /** At once: what is under way rejects. */
  destroy(): void;
}

/** A client that is not connected yet. Its socket is ours: the driver would wait for the server. */
export function createClient(options: ResolvedPostgresOptions, pipeline: boolean): OwnedClient {
  const sockets: Socket[] = [];
  const config = {
    ...clientConfig(options),
    pipeline,
    stream: () => {
      const socket = new Socket();
      sockets.push(socket);
      return socket;
    },
  };
  const client = new pg.Client(config);
  // Whoever waits for an answer is told; who does not finds the connection gone.
  client.on("error", () => undefined);
  const destroy = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return { client, destroy };
}

export function clientConfig(options: ResolvedPostgresOptions): ClientConfig {
  const { host, port, database, user, password, tls, commandTimeoutMs } = options;
  return {
    host,
    port,
    database,
    user,
    password,
    ...(tls === undefined ? {} : { ssl: { ...tls, host, rejectUnauthorized: true } }),
    connectionTimeoutMillis: commandTimeoutMs,
    // The server gives up when we do, and frees what a lost connection held.
    statement_timeout: commandTimeoutMs,
    lock_timeout: commandTimeoutMs,
    idle_in_transaction_session_timeout: 2 * commandTimeoutMs,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    options: planned,
    application_name: "banyan",
    fallback_application_name: "banyan",
  };
}
