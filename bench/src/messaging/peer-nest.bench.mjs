// Subject: NestJS on RabbitMQ: a client that emits, a microservice that acknowledges by hand.
// Arguments: URL, type of the queue.
//
// Persistent, durable, noAck: false and noDelay: as it comes it is none of these. Wildcards give it
// a topic exchange. Plain JavaScript: its decorators are functions here, and its declarations do
// not pass a strict compiler.

import "reflect-metadata";
import { Controller, Module } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import {
  ClientProxyFactory,
  Ctx,
  EventPattern,
  Payload,
  RmqContext,
  Transport,
} from "@nestjs/microservices";
import { lastValueFrom } from "rxjs";
import { serveMessenger } from "./messenger.ts";
import { openDesk, queueOptions } from "./rabbitmq-desk.ts";

const [url, queueType] = process.argv.slice(2);
const topic = "bench.made";
const exchange = `bench.nest.${queueType}`;
const queue = `${exchange}.group`;
const desk = await openDesk(url);
await desk.declare({ exchange, queue, topic, queueType });

const options = {
  urls: [url],
  exchange,
  exchangeType: "topic",
  wildcards: true,
  queue,
  queueOptions: queueOptions(queueType),
  persistent: true,
  socketOptions: { connectionOptions: { noDelay: true } },
};
const client = ClientProxyFactory.create({ transport: Transport.RMQ, options });
await client.connect();

const consumerTag = "taker";
let handle = () => undefined;
let channel;
class Taker {
  take(body, context) {
    handle(body);
    channel = context.getChannelRef();
    channel.ack(context.getMessage());
  }
}
EventPattern(topic)(
  Taker.prototype,
  "take",
  Object.getOwnPropertyDescriptor(Taker.prototype, "take"),
);
Reflect.defineMetadata("design:paramtypes", [Object, RmqContext], Taker.prototype, "take");
Payload()(Taker.prototype, "take", 0);
Ctx()(Taker.prototype, "take", 1);
Controller()(Taker);
class App {}
Module({ controllers: [Taker] })(App);

async function consume(next) {
  handle = next;
  const app = await NestFactory.createMicroservice(App, {
    transport: Transport.RMQ,
    logger: ["error"],
    options: { ...options, noAck: false, prefetchCount: 100, consumerTag },
  });
  await app.listen();
  return async () => {
    // A channel that is closed at once loses the last acknowledgements of a quorum queue.
    await channel.cancel(consumerTag);
    await app.close();
  };
}

serveMessenger({
  publish: (body) => lastValueFrom(client.emit(topic, body), { defaultValue: undefined }),
  consume,
  purge: () => desk.purge(queue),
});
