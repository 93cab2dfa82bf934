/**
 * W3C Trace Context, level 2: the headers `traceparent` and `tracestate`.
 *
 * A header that breaks the rules is ignored, as the recommendation says: the call starts a new
 * trace, it is never refused for it.
 */

import type { TraceContext } from "@banyan/kernel";

/** What came in with a request: whose span is the parent, and what the vendors before us noted. */
export interface RemoteTrace extends TraceContext {
  /** The sender says that its trace id is random (level 2), so that it may be sampled by. */
  readonly random: boolean;
}

const traceparentPattern =
  /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;
const sampledFlag = 0x01;
const randomFlag = 0x02;

/**
 * Reads the two headers.
 * @param traceparent the header, or `undefined` when there was none
 * @param tracestate several headers of that name are joined by a comma
 * @returns `undefined` when there is no valid parent: a new trace begins
 */
export function parseTraceparent(
  traceparent: string | undefined,
  tracestate?: string,
): RemoteTrace | undefined {
  // Later versions may be longer; nobody needs more than a line of them.
  if (traceparent === undefined || traceparent.length > 512) return undefined;
  const match = traceparentPattern.exec(traceparent.trim());
  if (match === null) return undefined;
  const [, version = "", traceId = "", spanId = "", flagsText = "", rest] = match;
  if (version === "00" && rest !== undefined) return undefined;
  const flags = Number.parseInt(flagsText, 16);
  const state = parseTracestate(tracestate);
  return {
    traceId,
    spanId,
    sampled: (flags & sampledFlag) !== 0,
    random: (flags & randomFlag) !== 0,
    ...(state === undefined ? {} : { state }),
  };
}

/** The `traceparent` that tells the next one whose child it is. Always version 00. */
export function formatTraceparent(trace: TraceContext): string {
  const flags = (trace.sampled ? sampledFlag : 0) | (trace.random === true ? randomFlag : 0);
  return `00-${trace.traceId}-${trace.spanId}-0${flags}`;
}

const membersMax = 32;
const stateMax = 512; // characters; the least that everybody must pass on
const memberLong = 128; // the first to go when there is too much
const keyPattern = /^[a-z0-9][a-z0-9_\-*/@]{0,255}$/;
const valuePattern = /^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$/;

/**
 * A valid `tracestate` as it came, shortened by whole members when it is longer than 512
 * characters: long ones first, then from the end. `undefined` when it is empty or breaks the rules.
 */
export function parseTracestate(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 16_384) return undefined;
  const members = text
    .split(",")
    .map((member) => member.replace(/^[ \t]+|[ \t]+$/g, ""))
    .filter((member) => member !== "");
  if (members.length === 0 || members.length > membersMax) return undefined;
  const keys = new Set<string>();
  for (const member of members) {
    const equals = member.indexOf("=");
    const key = member.slice(0, Math.max(equals, 0));
    if (!keyPattern.test(key) || !valuePattern.test(member.slice(equals + 1))) return undefined;
    if (keys.has(key)) return undefined;
    keys.add(key);
  }
  return text.length <= stateMax ? text : shortened(members);
}

function shortened(members: readonly string[]): string | undefined {
  const kept = [...members];
  const length = (): number => kept.join(",").length;
  for (let index = kept.length - 1; index >= 0 && length() > stateMax; index -= 1) {
    if ((kept[index]?.length ?? 0) > memberLong) kept.splice(index, 1);
  }
  while (length() > stateMax) kept.pop();
  return kept.length === 0 ? undefined : kept.join(",");
}
