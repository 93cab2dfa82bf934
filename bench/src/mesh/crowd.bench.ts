/**
 * Subject: many nodes, or many clients of framed TCP, that each have one connection to one server.
 * Arguments: `banyan` or `raw`, the server's address.
 */

import assert from "node:assert/strict";
import { numberOf } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import { openNode } from "./fleet-banyan.ts";
import { entryAt, ledger } from "./ledger.contract.ts";
import { connectRaw, RawLink } from "./raw-link.ts";

const [whose, address = ""] = process.argv.slice(2);
let opened = 0;

async function openBanyan(): Promise<void> {
  const { fleet } = await openNode(`client-${opened}`, { known: address });
  const entry = entryAt(opened);
  assert.deepEqual(await fleet.mesh.client(ledger, { caller: "bench" }).say(entry), entry);
}

async function openRaw(): Promise<void> {
  const entry = entryAt(opened);
  const answer = await new Promise<string>((resolve) => {
    const take = (_: number, text: string): void => resolve(text);
    new RawLink(connectRaw(Number(address), undefined), take).send(1, JSON.stringify(entry));
  });
  assert.deepEqual(JSON.parse(answer), entry);
}

serveMeasures({
  open: async (question) => {
    const more = numberOf(question, "links");
    for (let done = 0; done < more; done += 1) {
      await (whose === "banyan" ? openBanyan() : openRaw());
      opened += 1;
    }
    return { links: more };
  },
});
