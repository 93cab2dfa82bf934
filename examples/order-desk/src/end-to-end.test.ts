import { nodeContract, openNode } from "@banyan/host";
import { seedOf } from "@banyan/testbed";
import catalogue from "./catalogue.service.ts";
import { openCommand } from "./command-desk.test.ts";
import { describeOrderDesk } from "./end-to-end.ts";
import type { Desk } from "./end-to-end.ts";
import orders from "./orders.service.ts";
import stock from "./stock.service.ts";

async function openInMemory(): Promise<Desk> {
  const node = await openNode({ services: [catalogue, stock, orders], inMemory: true });
  return {
    client: (contract) => node.client(contract),
    tail: () => node.client(nodeContract).events.tail({}),
    [Symbol.asyncDispose]: () => node.close(),
  };
}

const seed = seedOf();
describeOrderDesk({ name: "a node in memory", open: openInMemory, seed });
describeOrderDesk({ name: "the command and its file", open: () => openCommand(), seed });
