/**
 * Subject: the durable bus on SQLite; one group, published and handled in one process.
 * Argument: data directory.
 */

import { systemIds } from "@banyan/kernel";
import { sqliteBus } from "@banyan/sqlite";
import { loopDelay } from "../loop-delay.ts";
import { serveMeasures } from "../subject.ts";
import { handledRate, HandledCounter } from "./handled.ts";
import { recordAt } from "./records.ts";

const [directory = ""] = process.argv.slice(2);
const bus = await sqliteBus.openBus({ directory });
const handled = new HandledCounter();
await bus.subscribe(
  { name: "bench.jobs", topic: "bench.jobs", delivery: "group", concurrency: 256 },
  () => handled.add(),
);
const headers = Object.freeze({ source: "bench", schemaVersion: "1" });
let turn = 0;

function publish(): Promise<void> {
  turn += 1;
  const message = {
    id: systemIds.uuid(),
    topic: "bench.jobs",
    timestampMs: Date.now(),
    body: recordAt(turn),
    headers,
  };
  return bus.publish(message, { owned: true });
}

serveMeasures({ jobs: (question) => loopDelay(() => handledRate(question, publish, handled)) });
