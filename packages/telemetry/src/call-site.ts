/**
 * Where in a service's code something was asked for: the first place on the stack that is neither
 * the platform's nor Node's.
 *
 * Worked out at once. A stack that is kept to be read later is cheaper to take, but it holds the
 * functions that wait on it, and so their requests and answers.
 */

import { fileURLToPath } from "node:url";
import type { CallSite } from "./span.ts";

/** The folder in which this package stands beside its sisters. */
const platformFolder = new URL("../..", import.meta.url).href;
/** What stands below the platform on a stack, where no service is between: its HTTP server. */
const serverFolder = "/node_modules/fastify/";
const framesMax = 16; // a store call passes some ten of ours

/** @param platform folder whose frames are passed over, as a URL; for tests */
export function findCallSite(platform = platformFolder): CallSite | undefined {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { stack?: unknown } = {};
  let found: CallSite | undefined;
  // The engine asks for the text of a stack; it is handed the frames, and text of 16 is not made.
  Error.prepareStackTrace = (_error, frames) => {
    found = placeIn(frames, platform);
    return "";
  };
  Error.stackTraceLimit = framesMax;
  try {
    Error.captureStackTrace(holder, findCallSite);
    void holder.stack;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (prepareStackTrace === undefined) Reflect.deleteProperty(Error, "prepareStackTrace");
    else Error.prepareStackTrace = prepareStackTrace;
  }
  return found;
}

function placeIn(frames: readonly NodeJS.CallSite[], platform: string): CallSite | undefined {
  for (const frame of frames) {
    const place = frame.getFileName();
    const line = frame.getLineNumber();
    const column = frame.getColumnNumber();
    if (place === null || line === null || column === null || !isService(place, platform)) continue;
    return {
      file: place.startsWith("file:") ? fileURLToPath(place) : place,
      line,
      column,
      function: frame.getFunctionName() ?? undefined,
    };
  }
  return undefined;
}

function isService(place: string, platform: string): boolean {
  if (!place.startsWith("file:") && !place.startsWith("/")) return false;
  // The platform's own tests are services' code to it.
  if (place.startsWith(platform)) return place.endsWith(".test.ts");
  return !place.includes(serverFolder);
}
