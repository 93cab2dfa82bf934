// Subject: Moleculer, its TCP transporter or NATS; validator on, the rest as it comes.
// Arguments: `server` or `client`, the transporter (`tcp` or the URL of a NATS), for a client the
// server's address.
//
// Plain JavaScript, because Moleculer's own declarations do not pass a strict compiler.

import { freePort } from "@banyan/testbed";
import { ServiceBroker } from "moleculer";
import { serveMeasures } from "../subject.ts";
import { serveCaller } from "./caller.ts";

const [role, transport, address = ""] = process.argv.slice(2);
const port = await freePort();

function transporterOf() {
  if (transport !== "tcp") return { type: "NATS", options: { url: transport } };
  // Told where the server is; nothing is looked for by multicast.
  const urls = role === "client" ? [`${address}/server`] : [];
  const options = { udpDiscovery: false, useHostname: false, port, urls };
  return { type: "TCP", options };
}

const entry = {
  id: { type: "string", min: 1, max: 64 },
  name: { type: "string", min: 1, max: 64 },
  count: { type: "number", integer: true, min: 0 },
  active: { type: "boolean" },
  note: { type: "string", max: 256 },
};
const page = {
  entries: { type: "array", max: 100, items: { type: "object", props: entry } },
};

const broker = new ServiceBroker({
  nodeID: role,
  namespace: "bench",
  logger: false,
  transporter: transporterOf(),
});
if (role === "server") {
  broker.createService({
    name: "ledger",
    actions: {
      say: { params: entry, handler: (context) => context.params },
      list: { params: page, handler: (context) => context.params },
    },
  });
}
await broker.start();

if (role === "server") serveMeasures({}, { address: `127.0.0.1:${port}` });
else {
  await broker.waitForServices("ledger");
  await serveCaller({
    say: (body) => broker.call("ledger.say", body),
    list: (body) => broker.call("ledger.list", body),
  });
}
