/** Subject: in-process calls through the typed client of a real node. Argument: full or edge. */

import { openNode } from "@banyan/host";
import { callRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { echo, echoService, payloadSent } from "./echo.contract.ts";

const [validation = "full"] = process.argv.slice(2);
const flag = { flag: "bench", pointer: "/limits/localValidation", value: validation };
const node = await openNode({ services: [echoService], inMemory: true, config: { flags: [flag] } });
const client = node.client(echo);
const answer = await client.say(payloadSent);
if (JSON.stringify(answer) !== JSON.stringify(payloadSent)) throw new Error("no echo");

serveMeasures({ calls: callRate(() => client.say(payloadSent)) });
