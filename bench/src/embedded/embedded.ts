/** The area `embedded`: one process, one file: state, events, and both together. */

import type { Area } from "../area.ts";
import { publishing, queueing } from "./events.ts";
import { greet } from "./greet.ts";
import { largeStore } from "./large-store.ts";
import { smallStore } from "./state-cases.ts";
import { transactions } from "./transactions.ts";

export const embedded: Area = {
  name: "embedded",
  // What is most easily disturbed comes first, while the machine is cool.
  groups: [publishing, smallStore, greet, queueing, transactions, largeStore],
};
