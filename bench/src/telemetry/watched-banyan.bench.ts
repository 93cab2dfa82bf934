/** Subject: calls of a real node. Argument: one of the moods below. */

import { openNode } from "@banyan/host";
import { callRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { echo, echoService, payloadSent } from "../trunk/echo.contract.ts";
import { desk, deskService } from "./watched.contract.ts";

const settings: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  off: { "/telemetry/metrics/enabled": false, "/telemetry/traces/enabled": false },
  metrics: { "/telemetry/traces/enabled": false },
  sampled: { "/telemetry/traces/ratio": 0.01 },
  uncapped: { "/telemetry/traces/ratio": 0.01, "/telemetry/traces/perSecondMax": 1_000_000 },
  default: {},
};
const [mood = "default"] = process.argv.slice(2);
const flags = Object.entries(settings[mood] ?? {}).map(([pointer, value]) => ({
  pointer,
  value,
  flag: "bench",
}));
const node = await openNode({
  services: [echoService, deskService],
  inMemory: true,
  config: { flags },
});
const echoing = node.client(echo);
const working = node.client(desk);
if ((await working.work({})).n !== 3) throw new Error("it does not work");

serveMeasures({
  call: callRate(() => echoing.say(payloadSent)),
  nested: callRate(() => working.work({})),
});
