/**
 * Subject: a node of a fleet that calls the ledger of another one.
 * Arguments: frames of a stream that may come unasked, its TLS files (`""`: none), the other node.
 */

import { serveCaller } from "./caller.ts";
import { openNode, readTls } from "./fleet-banyan.ts";
import { ledger } from "./ledger.contract.ts";

const [ahead = "0", files, known] = process.argv.slice(2);
const options = { known, streamAhead: Number(ahead), tls: readTls(files) };
const { fleet } = await openNode("client", options);
const client = fleet.mesh.client(ledger, { caller: "bench" });

await serveCaller({
  say: (entry) => client.say(entry),
  list: (page) => client.list(page),
  follow: async (frames, see) => {
    for await (const entry of client.follow({ frames })) see(entry);
  },
});
