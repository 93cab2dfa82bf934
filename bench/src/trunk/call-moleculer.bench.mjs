// Subject: Moleculer's local call. Argument: "on" (its context tracking, metrics, request timeout
// and validator) or "off" (none of them).
//
// Plain JavaScript, because Moleculer's own declarations do not pass a strict compiler.

import { ServiceBroker } from "moleculer";
import { callRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { payloadSent } from "./echo.contract.ts";

const on = process.argv[2] === "on";
const broker = new ServiceBroker({
  logger: false,
  tracking: { enabled: on },
  metrics: { enabled: on },
  requestTimeout: on ? 30_000 : 0,
  validator: on,
});
broker.createService({
  name: "echo",
  actions: {
    say: {
      params: {
        id: { type: "string", min: 1, max: 64 },
        name: { type: "string", min: 1, max: 64 },
        count: { type: "number", integer: true, min: 0 },
        active: { type: "boolean" },
        note: { type: "string", max: 256 },
      },
      handler: (context) => context.params,
    },
  },
});
await broker.start();
const answer = await broker.call("echo.say", payloadSent);
if (JSON.stringify(answer) !== JSON.stringify(payloadSent)) throw new Error("no echo");
const refused = await broker.call("echo.say", { id: 7 }).then(
  () => false,
  () => true,
);
if (refused !== on) throw new Error(`the validator is ${refused ? "on" : "off"}`);

serveMeasures({ calls: callRate(() => broker.call("echo.say", payloadSent)) });
