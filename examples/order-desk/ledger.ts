/**
 * Prints the ledger of a running order desk; exit code 1 when it does not add up.
 *
 *   npm run ledger -w @banyan/order-desk -- [--url http://localhost:7600] [--data-dir .banyan]
 */

import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { httpClient } from "./src/http-client.ts";
import { ledgerText } from "./src/ledger-text.ts";
import { findNode } from "./src/node-address.ts";
import { orders } from "./src/orders.contract.ts";

const { values } = parseArgs({
  options: { url: { type: "string" }, "data-dir": { type: "string" } },
});
const dataDirectory = resolve(values["data-dir"] ?? resolve(import.meta.dirname, "../../.banyan"));
const node = findNode({ url: values.url, dataDirectory });
const ledger = await httpClient(orders, node).ledger({});
process.stdout.write(ledgerText(ledger));
process.exitCode = ledger.isConsistent ? 0 : 1;
