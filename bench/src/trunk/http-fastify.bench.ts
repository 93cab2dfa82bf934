/** Subject: a bare Fastify route with the same schema, its own validator and its serializer. */

import Fastify from "fastify";
import { cpuSince } from "../cpu-time.ts";
import { serveMeasures } from "../subject.ts";
import { payloadSchema } from "./echo.contract.ts";

const app = Fastify({ logger: false });
app.post(
  "/echo/say",
  { schema: { body: payloadSchema, response: { 200: payloadSchema } } },
  async (request) => request.body,
);
const address = await app.listen({ host: "127.0.0.1", port: 0 });

serveMeasures({ cpu: cpuSince() }, { url: `${address}/echo/say` });
