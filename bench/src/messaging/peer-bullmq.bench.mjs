// Subject: BullMQ on a Redis. Argument: the Redis's socket.
//
// Plain JavaScript: BullMQ's declarations do not pass a strict compiler.

import { Queue, Worker } from "bullmq";
import { Redis } from "ioredis";
import { serveMessenger } from "./messenger.ts";

const [path] = process.argv.slice(2);
const options = { path, maxRetriesPerRequest: null };
const queue = new Queue("bench", { connection: new Redis(options) });
await queue.waitUntilReady();

async function consume(handle) {
  const connection = new Redis(options);
  const worker = new Worker("bench", async ({ data }) => handle(data), {
    connection,
    concurrency: 100,
  });
  worker.on("error", (error) => {
    throw error;
  });
  await worker.waitUntilReady();
  return async () => {
    await worker.close();
    connection.disconnect();
  };
}

async function purge() {
  const { waiting, active, failed } = await queue.getJobCounts("waiting", "active", "failed");
  await queue.drain();
  return waiting + active + failed;
}

serveMessenger({
  // Jobs that are done go, as messages do; without it Redis would keep them all.
  publish: (body) => queue.add("made", body, { removeOnComplete: true }),
  consume,
  purge,
});
