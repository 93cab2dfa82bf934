/** The area `trunk`: calls inside one process, one operation over HTTP, whole processes, parts. */

import type { Area } from "../area.ts";
import { httpEcho } from "./http-echo.ts";
import { inProcessCalls } from "./in-process-calls.ts";
import { singleParts } from "./parts.ts";
import { startUp } from "./start-up.ts";

export const trunk: Area = {
  name: "trunk",
  // What is most easily disturbed comes first, while the machine is cool.
  groups: [inProcessCalls, httpEcho, startUp, singleParts],
};
