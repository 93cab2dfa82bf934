// Subject: BullMQ on a Redis; one queue, one worker, added and processed in one process.
// Argument: the Redis's socket.
//
// Plain JavaScript: BullMQ's declarations do not pass a strict compiler.

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { serveMeasures } from "../subject.ts";
import { handledRate, HandledCounter } from "./handled.ts";
import { recordAt } from "./records.ts";

const [path] = process.argv.slice(2);
const options = { path, maxRetriesPerRequest: null };
const queue = new Queue("bench", { connection: new Redis(options) });
const handled = new HandledCounter();
const worker = new Worker("bench", async () => handled.add(), {
  connection: new Redis(options),
  concurrency: 64, // the fastest of 16, 64 and 256 here
});
await Promise.all([queue.waitUntilReady(), worker.waitUntilReady()]);
let turn = 0;

// Jobs that are done go, as messages do; without it Redis would keep them all.
const add = () => queue.add("job", recordAt((turn += 1)), { removeOnComplete: true });

serveMeasures({ jobs: (question) => handledRate(question, add, handled) });
