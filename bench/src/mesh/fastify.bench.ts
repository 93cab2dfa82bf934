/**
 * Subject: Fastify with schemas for bodies and answers, called by undici's pool of 64 connections
 * that are kept, one request at a time on each, as it comes.
 * Arguments: `server` or `client`, for a client the server's URL.
 */

import Fastify from "fastify";
import { Pool } from "undici";
import { serveMeasures } from "../subject.ts";
import { serveCaller } from "./caller.ts";
import { jsonSchemas } from "./ledger.contract.ts";

const [role, known = ""] = process.argv.slice(2);

if (role === "server") {
  const app = Fastify({ logger: false });
  for (const name of ["say", "list"] as const) {
    const schema = { body: jsonSchemas[name], response: { 200: jsonSchemas[name] } };
    app.post(`/${name}`, { schema }, async (request) => request.body);
  }
  serveMeasures({}, { address: await app.listen({ host: "127.0.0.1", port: 0 }) });
} else {
  const pool = new Pool(known, { connections: 64 });
  const headers = { "content-type": "application/json" };
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const answer = await pool.request({
      path,
      method: "POST",
      headers,
      body: JSON.stringify(body),
    });
    if (answer.statusCode !== 200) throw new Error(`Status ${answer.statusCode}.`);
    return answer.body.json();
  };
  await serveCaller({
    say: (entry) => post("/say", entry),
    list: (page) => post("/list", page),
  });
}
