/** The headers of an event: those that the platform sets, and those that are the publisher's. */

import { kernelErrors } from "@banyan/kernel/internal";
import type { MessageHeaders } from "./bus.ts";

const platformHeaders = [
  "source",
  "principal",
  "traceparent",
  "tracestate",
  "correlationId",
  "schemaVersion",
] as const satisfies readonly (keyof MessageHeaders)[];

const isPlatform: ReadonlySet<string> = new Set(platformHeaders);

/** Own names are of lower case: what reads them on another wire may not tell the cases apart. */
const isTaken: ReadonlySet<string> = new Set(platformHeaders.map((name) => name.toLowerCase()));

/** Of every bus, for what it must know of a message. */
const busPrefix = "x-banyan-";

const namePattern = /^[a-z0-9][a-z0-9._-]{0,127}$/;

/** A publisher's own headers, as they may travel. @throws EVENT_INVALID, naming the header */
export function checkedHeaders(
  headers: Readonly<Record<string, string>>,
  topic: string,
): Readonly<Record<string, string>> {
  if (typeof headers !== "object" || headers === null || Array.isArray(headers)) {
    throw invalid(topic, "its headers must be an object of texts", "/headers");
  }
  for (const [name, value] of Object.entries<unknown>(headers)) {
    const pointer = `/headers/${name.slice(0, 128)}`;
    if (name === "correlationId") {
      throw invalid(topic, "its correlationId is an option of its own", pointer);
    }
    if (isTaken.has(name.toLowerCase()) || name.toLowerCase().startsWith(busPrefix)) {
      throw invalid(topic, `the platform sets the header "${name}" itself`, pointer);
    }
    if (!namePattern.test(name)) {
      const why = "a header's name is lower-case letters, digits, . _ and -, at most 128";
      throw invalid(topic, `${why}, as in "tenant-id"`, pointer);
    }
    if (typeof value !== "string") throw invalid(topic, "a header must be text", pointer);
  }
  return headers;
}

/** What is left without those of the platform; frozen. */
export function ownHeaders(headers: MessageHeaders): Readonly<Record<string, string>> {
  const own: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !isPlatform.has(name)) own[name] = value;
  }
  return Object.freeze(own);
}

function invalid(topic: string, why: string, pointer: string): Error {
  return kernelErrors.EVENT_INVALID(`Event ${topic} was refused: ${why}.`, {
    details: { issues: [{ pointer, expected: "a header of the publisher's own" }] },
  });
}
