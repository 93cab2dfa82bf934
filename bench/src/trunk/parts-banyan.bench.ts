/** Subject: parts of the platform by themselves. */

import { defineContract, t } from "@banyan/kernel";
import type { Issue, Store } from "@banyan/kernel";
import { compileSchema } from "@banyan/kernel/internal";
import { createPublisher, openMemoryBus } from "@banyan/messaging";
import { openMemoryEngine, openStore } from "@banyan/state";
import { callRate, numberOf, plainRate, rateBatch, rateOf } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { echo, payloadSent } from "./echo.contract.ts";

const { request } = echo.spec.operations.say;
const schema = compileSchema(request);
const issues: Issue[] = [];

const value = t.Object({ count: t.Integer() });
const engine = openMemoryEngine();
const store: Store<{ count: number }> = await openStore(engine, {
  scope: "bench",
  name: "counts",
  spec: { durability: "ephemeral", value },
});
const keys = Array.from({ length: 1024 }, (_, index) => `key-${index}`);
let turn = 0;
const nextKey = (): string => keys[(turn = (turn + 1) & 1023)] ?? "";
for (const key of keys) await store.set(key, { count: 0 });

const events = defineContract("bench", {
  summary: "Measures.",
  version: "1.0.0",
  events: { made: value },
});
const bus = openMemoryBus();
const publisher = createPublisher(events, bus);
let handled = 0;
let onHandled: (() => void) | undefined;
await bus.subscribe({ name: "bench.sub", topic: "bench.made", delivery: "group" }, () => {
  handled += 1;
  if (handled % rateBatch === 0) onHandled?.();
});

serveMeasures({
  parse: plainRate(() => schema.parse(payloadSent, "strict", issues)),
  copy: plainRate(() => schema.copy(payloadSent)),
  get: callRate(() => store.get(nextKey())),
  set: callRate(() => store.set(nextKey(), { count: 1 })),
  update: callRate(() => store.update(nextKey(), (old) => ({ count: (old?.count ?? 0) + 1 }))),
  publish: (question) =>
    rateOf(numberOf(question, "durationMs"), async () => {
      const all = new Promise<void>((resolve) => (onHandled = resolve));
      for (let count = 0; count < rateBatch; count += 1) {
        await publisher.publish("made", { count });
      }
      await all;
    }),
});
