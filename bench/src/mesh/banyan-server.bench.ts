/** Subject: a node of a fleet that runs the ledger. Argument: its TLS files, if any. */

import { listOperations, OperationRunner } from "@banyan/kernel/internal";
import { serveMeasures } from "../subject.ts";
import { addressOf, openNode, readTls } from "./fleet-banyan.ts";
import type { Entry } from "./ledger.contract.ts";
import { entryAt, ledger } from "./ledger.contract.ts";
import { memoryNow } from "./memory-now.ts";

const { fleet, runtime } = await openNode("server", { tls: readTls(process.argv[2]) });

async function* follow(request: unknown): AsyncGenerator<Entry> {
  // Checked against the contract's schema before it comes here.
  const { frames } = request as { readonly frames: number };
  for (let count = 0; count < frames; count += 1) yield entryAt(count);
}

const runners = listOperations(ledger.spec.operations).map((operation) => {
  const handler = operation.name === "follow" ? follow : (request: unknown) => request;
  return new OperationRunner(ledger, operation, { handler, runtime });
});
fleet.mesh.provide({ contract: ledger, runners });

serveMeasures({ memory: memoryNow }, { address: addressOf(fleet) });
