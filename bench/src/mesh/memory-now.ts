/** What a process holds, right after a collection. Run in a subject's process. */

import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Figures } from "../subject.ts";

setFlagsFromString("--expose-gc");
// The flag above puts it into every context that is made after it.
const collect = runInNewContext("gc") as () => void;

/** Bytes: resident, and of the heap with the buffers beside it. */
export function memoryNow(): Figures {
  collect();
  collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  return { residentBytes: rss, heapBytes: heapUsed + external };
}
