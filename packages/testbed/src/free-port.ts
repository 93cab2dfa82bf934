/**
 * Ports for programs that cannot be told port 0. Whatever can, should: between finding a port and
 * using it another process may take it.
 */

import { once } from "node:events";
import { createServer } from "node:net";
import type { Server } from "node:net";

/** A TCP port of the loopback interface that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const [port] = await findFreePorts(1);
  if (port === undefined) throw new Error("The system gave no port.");
  return port;
}

/** That many different ones. They are all held at once, so no two are equal. */
export async function findFreePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, listenAnywhere));
  const ports = servers.map((server) => {
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("Not a TCP server.");
    return address.port;
  });
  await Promise.all(
    servers.map((server) => {
      server.close();
      return once(server, "close");
    }),
  );
  return ports;
}

async function listenAnywhere(): Promise<Server> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
