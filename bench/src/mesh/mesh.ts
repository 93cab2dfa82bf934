/** The area `mesh`: calls and streams between two processes, beside bare TCP and beside peers. */

import type { Area } from "../area.ts";
import { calls, crowd, encrypted } from "./calls.ts";
import { guarantees } from "./guarantees.ts";
import { memory } from "./memory.ts";
import { streams } from "./streams.ts";

export const mesh: Area = {
  name: "mesh",
  groups: [calls, crowd, streams, encrypted, memory],
  callGuarantees: Object.values(guarantees),
};
