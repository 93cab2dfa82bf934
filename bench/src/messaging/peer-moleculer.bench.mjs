// Subject: events of Moleculer over its AMQP transporter. Argument: URL.
//
// `disableBalancer` gives a group one queue and acknowledgements; queues that are kept, persistent
// messages and noDelay are asked for too. An emit ends before its bytes left the process. Plain
// JavaScript: its declarations do not pass a strict compiler.

import { ServiceBroker } from "moleculer";
import { serveMessenger } from "./messenger.ts";
import { openDesk } from "./rabbitmq-desk.ts";

const [url] = process.argv.slice(2);
const topic = "bench.made";
const group = "takers";
/** As its transporter calls it. */
const queue = `MOL-bench.EVENTB.${group}.${topic}`;
const desk = await openDesk(url);
let takers = 0;

function createBroker(nodeID) {
  return new ServiceBroker({
    nodeID,
    namespace: "bench",
    logger: false,
    disableBalancer: true,
    transporter: {
      type: "AMQP",
      options: {
        url,
        prefetch: 100,
        autoDeleteQueues: false,
        messageOptions: { persistent: true },
        socketOptions: { noDelay: true },
      },
    },
  });
}

async function consume(handle) {
  takers += 1;
  const broker = createBroker(`taker-${takers}`);
  broker.createService({
    name: group,
    events: { [topic]: { group, handler: (context) => handle(context.params) } },
  });
  await broker.start();
  return () => broker.stop();
}

const sender = createBroker("sender");
await sender.start();
// Its first consumer declares the queue.
const stop = await consume(() => undefined);
await stop();

serveMessenger({
  publish: (body) => sender.emit(topic, body, { groups: [group] }),
  // Answered behind all that was sent on this channel before.
  settle: () => sender.transit.tx.channel.checkQueue(queue),
  consume,
  purge: () => desk.purge(queue),
});
