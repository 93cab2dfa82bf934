/** Subject: Node's own EventEmitter, behind a promise as a publish is. */

import { EventEmitter } from "node:events";
import { callRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";

const emitter = new EventEmitter();
let sum = 0;
emitter.on("bench.raw", (message: { readonly body: { readonly count: number } }) => {
  sum += message.body.count;
});

serveMeasures({
  raw: callRate(async () =>
    emitter.emit("bench.raw", { topic: "bench.raw", body: { count: sum & 1 } }),
  ),
});
