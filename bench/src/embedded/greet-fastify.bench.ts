/**
 * Subject: a bare Fastify route with the same schemas that does the same two durable writes with
 * `node:sqlite`: the visit and the event in one transaction, on disk before the answer.
 * Arguments: file, and how: `each` commits for each request; `grouped` collects the requests of one
 * turn of the event loop in one commit, which somebody who knows SQLite would write by hand.
 */

import Fastify from "fastify";
import { cpuSince } from "../cpu-time.ts";
import { serveMeasures } from "../subject.ts";
import { greetSchemas } from "./greet.contract.ts";
import { RawEvents, RawTable } from "./raw-table.ts";

interface Greeting {
  readonly text: string;
  readonly count: number;
}

const [file = "", how = "each"] = process.argv.slice(2);
const table = new RawTable(file);
const events = new RawEvents(table.database);

/** Inside an open transaction. */
function greet(name: string): Greeting {
  const count = (table.get<{ count: number }>(name)?.count ?? 0) + 1;
  table.set(name, { count });
  events.append("greeter.greeted", { name, count });
  return { text: `Hello, ${name}!`, count };
}

function greetEach(name: string): Promise<Greeting> {
  table.begin();
  const greeting = greet(name);
  table.commit();
  return Promise.resolve(greeting);
}

let collected: { readonly name: string; readonly resolve: (greeting: Greeting) => void }[] = [];

function greetGrouped(name: string): Promise<Greeting> {
  if (collected.length === 0) setImmediate(commitCollected);
  const { promise, resolve } = Promise.withResolvers<Greeting>();
  collected.push({ name, resolve });
  return promise;
}

function commitCollected(): void {
  const group = collected;
  collected = [];
  table.begin();
  const greetings = group.map(({ name }) => greet(name));
  table.commit();
  for (const [index, { resolve }] of group.entries()) {
    const greeting = greetings[index];
    if (greeting !== undefined) resolve(greeting);
  }
}

const app = Fastify({ logger: false });
app.post<{ Body: { readonly name: string } }>(
  "/greeter/greet",
  { schema: greetSchemas },
  (request) => (how === "grouped" ? greetGrouped : greetEach)(request.body.name),
);
const address = await app.listen({ host: "127.0.0.1", port: 0 });

serveMeasures(
  { cpu: cpuSince(), settle: () => ({ settleMs: 0 }) },
  { url: `${address}/greeter/greet` },
);
