// Subject: a NestJS microservice over its TCP transport, as it comes.
// Arguments: `server` or `client`, for a client the server's port.
//
// Plain JavaScript: its decorators are functions here, and its declarations do not pass a strict
// compiler.

import "reflect-metadata";
import { Controller, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import { ClientProxyFactory, MessagePattern, Payload, Transport } from "@nestjs/microservices";
import { freePort } from "@banyan/testbed";
import { lastValueFrom } from "rxjs";
import { serveMeasures } from "../subject.ts";
import { serveCaller } from "./caller.ts";

const [role, known] = process.argv.slice(2);
const host = "127.0.0.1";

class Ledger {
  say(entry) {
    return entry;
  }

  list(page) {
    return page;
  }
}
for (const name of ["say", "list"]) {
  MessagePattern(name)(
    Ledger.prototype,
    name,
    Object.getOwnPropertyDescriptor(Ledger.prototype, name),
  );
  Reflect.defineMetadata("design:paramtypes", [Object], Ledger.prototype, name);
  Payload()(Ledger.prototype, name, 0);
}
Controller()(Ledger);
class App {}
Module({ controllers: [Ledger] })(App);

if (role === "server") {
  const port = await freePort();
  const app = await NestFactory.createMicroservice(App, {
    transport: Transport.TCP,
    logger: ["error"],
    options: { host, port },
  });
  await app.listen();
  serveMeasures({}, { address: String(port) });
} else {
  const options = { host, port: Number(known) };
  const client = ClientProxyFactory.create({ transport: Transport.TCP, options });
  await client.connect();
  await serveCaller({
    say: (entry) => lastValueFrom(client.send("say", entry)),
    list: (page) => lastValueFrom(client.send("list", page)),
  });
}
