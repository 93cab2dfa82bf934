/** A span in words: what it did, what is remarkable about it, which line of code asked for it. */

import { isAbsolute, relative } from "node:path";
import { textOf } from "./node-answers.ts";
import { slowestOf } from "./span-folding.ts";
import type { SpanGroup } from "./span-folding.ts";
import { escaped, widthOf } from "./text-table.ts";
import type { Style } from "./terminal.ts";
import { durationText } from "./time-text.ts";
import type { CallPlace, TraceSpan } from "./trace-answer.ts";

/** A piece of a line, to be painted once it is known to fit. */
export interface Piece {
  readonly text: string;
  readonly style?: Style | undefined;
}

/** `orders.place`, `update mail.sent`; `clock: tick` where nothing else tells the service. */
export function whatText(
  { service, name }: Pick<TraceSpan, "service" | "name">,
  serviceAbove?: string,
): string {
  const isTold = service === serviceAbove || name.split(/[ .]/).includes(service);
  return escaped(isTold ? name : `${service}: ${name}`);
}

/** Asked for by the node itself, such as the answers that it remembers by idempotency key. */
export function isOfNode({ attributes, service }: TraceSpan): boolean {
  return attributes["db.namespace"] === "node" && service !== "node";
}

/** What stands behind a name: how it failed, how often it was, of which event it is a handler. */
export function marksOf(group: SpanGroup, isTop: boolean): Piece[] {
  const { first, spans } = group;
  const { error, kind, attributes } = first;
  const marks: Piece[] = [];
  if (spans.length > 1) {
    const total = spans.reduce((sum, { durationMs }) => sum + durationMs, 0);
    const slowest = slowestOf(group).durationMs;
    marks.push(
      { text: `×${spans.length}`, style: "strong" },
      { text: `total ${durationText(total)}, max ${durationText(slowest)}`, style: "faint" },
    );
  }
  if (error !== undefined) marks.push({ text: escaped(error.code), style: "bad" });
  const topic = textOf(attributes["messaging.destination.name"]);
  if (kind === "consumer") {
    marks.push({ text: topic === "" ? "consumer" : `on ${escaped(topic)}`, style: "faint" });
    const attempt = attributes["banyan.delivery.attempt"];
    if (typeof attempt === "number" && attempt > 1) {
      marks.push({ text: `attempt ${attempt}`, style: "warning" });
    }
  } else if (kind === "server" && !isTop) marks.push({ text: "server", style: "faint" });
  else if (kind === "client" && attributes["db.system.name"] === undefined) {
    marks.push({ text: "client", style: "faint" });
  }
  return marks;
}

/** `src/orders.service.ts:41`, from the working folder, or in full where that is shorter. */
export function placeText({ file, line }: CallPlace, cwd: string): string {
  const near = isAbsolute(file) ? relative(cwd, file) : file;
  return escaped(`${near.length < file.length ? near : file}:${line}`);
}

/** A place in as many characters: folders go first, then the beginning of the file's name. */
export function shortPlace(place: string, charsMax: number): string {
  if (widthOf(place) <= charsMax) return place;
  const parts = place.split(/[/\\]/);
  for (let from = 1; from < parts.length; from += 1) {
    const rest = parts.slice(from).join("/");
    if (widthOf(rest) + 2 <= charsMax) return `…/${rest}`;
    if (from === parts.length - 1 && widthOf(rest) <= charsMax) return rest;
  }
  return charsMax < placeCharsMin
    ? ""
    : `…${Array.from(place)
        .slice(1 - charsMax)
        .join("")}`;
}

/** In less, a place says nothing. */
export const placeCharsMin = 12;
