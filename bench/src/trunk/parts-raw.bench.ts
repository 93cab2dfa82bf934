/** Subject: the least that does the same work as the parts, without their promises. */

import { EventEmitter } from "node:events";
import { callRate, plainRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { payloadSent } from "./echo.contract.ts";

const values = new Map<string, { count: number }>();
const keys = Array.from({ length: 1024 }, (_, index) => `key-${index}`);
let turn = 0;
const nextKey = (): string => keys[(turn = (turn + 1) & 1023)] ?? "";
for (const key of keys) values.set(key, { count: 0 });

const emitter = new EventEmitter();
let handled = 0;
emitter.on("made", (event: { count: number }) => {
  handled += event.count;
});

const copied = (value: unknown): unknown => JSON.parse(JSON.stringify(value));
const set = async (value: { count: number }): Promise<void> => {
  values.set(nextKey(), { ...value });
};
const update = async (key: string): Promise<void> => {
  values.set(key, { count: (values.get(key)?.count ?? 0) + 1 });
};

serveMeasures({
  parse: plainRate(() => copied(payloadSent)),
  copy: plainRate(() => copied(payloadSent)),
  get: callRate(() => Promise.resolve({ ...values.get(nextKey()) })),
  set: callRate(() => set({ count: 1 })),
  update: callRate(() => update(nextKey())),
  publish: callRate(async () => emitter.emit("made", { count: handled & 1 })),
});
