/** Subject: Node's own HTTP server that parses and prints JSON and checks nothing. */

import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { cpuSince } from "../cpu-time.ts";
import { serveMeasures } from "../subject.ts";

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk: Buffer) => chunks.push(chunk));
  request.on("end", () => {
    const value: unknown = JSON.parse(Buffer.concat(chunks).toString());
    const body = JSON.stringify(value);
    response.writeHead(200, {
      "content-type": "application/json; charset=utf-8",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  });
});
server.listen(0, "127.0.0.1");
await once(server, "listening");
// A server that listens on TCP has an address object.
const { port } = server.address() as AddressInfo;

serveMeasures({ cpu: cpuSince() }, { url: `http://127.0.0.1:${port}/echo/say` });
