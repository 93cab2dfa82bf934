/**
 * Subject: the same calls on parts put together by hand, with no telemetry at all. Argument
 * `clock`: with an observer that is told how long a call took and forgets it, which is one more
 * reading of the clock and nothing else.
 */

import { createLocalMesh } from "@banyan/mesh";
import { createPublisher, openMemoryBus } from "@banyan/messaging";
import { CallRuntime, listOperations, OperationRunner } from "@banyan/kernel/internal";
import type { Handler } from "@banyan/kernel/internal";
import { openMemoryEngine, openStore } from "@banyan/state";
import { callRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { echo, payloadSent } from "../trunk/echo.contract.ts";
import { desk } from "./watched.contract.ts";

const isTimed = process.argv[2] === "clock";
const runtime = new CallRuntime({ observer: isTimed ? { ended: () => undefined } : undefined });
const mesh = createLocalMesh();
const engine = openMemoryEngine();
const notes = await openStore(engine, {
  scope: "desk",
  name: "notes",
  spec: desk.spec.stores.notes,
});
const publisher = createPublisher(desk, openMemoryBus());
const inner = mesh.client(echo, { caller: "desk" });

const say: Handler = (request) => request;
const work: Handler = async () => {
  const { count } = await inner.say(payloadSent);
  const note = await notes.get("a");
  await publisher.publish("seen", { n: count });
  return { n: count + (note?.n ?? 0) };
};
for (const [contract, handler] of [
  [echo, say],
  [desk, work],
] as const) {
  const runners = listOperations(contract.spec.operations ?? {}).map(
    (operation) => new OperationRunner(contract, operation, { handler, runtime }),
  );
  mesh.provide({ contract, runners });
}
const echoing = mesh.client(echo, { caller: "program" });
const working = mesh.client(desk, { caller: "program" });

serveMeasures({
  call: callRate(() => echoing.say(payloadSent)),
  nested: callRate(() => working.work({})),
});
