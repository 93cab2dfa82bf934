/** An event may be declared by its schema alone; this is the one place that evens the two forms. */

import type { Schema } from "../schema/standard.ts";
import type { EventSpec } from "./contract-spec.ts";

/** An event's full declaration, whichever way it was written. */
export function eventSpecOf(declared: Schema | EventSpec): EventSpec {
  return isEventSpec(declared) ? declared : { payload: declared };
}

function isEventSpec(declared: Schema | EventSpec): declared is EventSpec {
  return "payload" in declared && !("type" in declared) && !("~standard" in declared);
}
