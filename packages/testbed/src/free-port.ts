/**
 * Ports for programs that cannot be told port 0, or that must come back on the port that they had.
 * Whatever else can, should be told 0: between finding a port and using it another process may take
 * it.
 *
 * F1. Below what systems hand out on their own (32 768 on Linux, 49 152 elsewhere): no connection
 *     of another test is on it while its program is away, nor one of who asks for it meanwhile,
 *     which is how a client comes to be connected to itself.
 */

import { randomInt } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import type { Server } from "node:net";

const host = "127.0.0.1";
const portsFrom = 20_000;
const portsTo = 30_000;
const attemptsMax = 50;

/** A TCP port of the loopback interface that nobody listened on a moment ago. */
export async function freePort(): Promise<number> {
  const [port] = await findFreePorts(1);
  if (port === undefined) throw new Error("The system gave no port.");
  return port;
}

/** That many different ones. They are all held at once, so no two are equal. */
export async function findFreePorts(count: number): Promise<number[]> {
  const held = await Promise.all(Array.from({ length: count }, () => onFreePort(listenOn)));
  await Promise.all(
    held.map(({ listening }) => {
      listening.close();
      return once(listening, "close");
    }),
  );
  return held.map(({ port }) => port);
}

/** Listens on a port that is free. @throws what `listen` throws but for a port that is taken */
export async function onFreePort<T>(
  listen: (port: number) => Promise<T>,
): Promise<{ readonly port: number; readonly listening: T }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = randomInt(portsFrom, portsTo);
    try {
      return { port, listening: await listen(port) };
    } catch (error) {
      const isTaken = error instanceof Error && "code" in error && error.code === "EADDRINUSE";
      if (!isTaken || attempt === attemptsMax) throw error;
    }
  }
}

async function listenOn(port: number): Promise<Server> {
  const server = createServer().listen(port, host);
  await once(server, "listening");
  return server;
}
