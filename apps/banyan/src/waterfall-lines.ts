/**
 * The lines of a waterfall: bar, time, name by depth, place in the code. How wide each part is
 * follows from the width of the whole; what does not fit is cut, the least important first.
 */

import { stretchMs } from "./span-folding.ts";
import type { SpanGroup } from "./span-folding.ts";
import { detailLines } from "./span-details.ts";
import { isOfNode, marksOf, placeCharsMin, placeText, shortPlace, whatText } from "./span-text.ts";
import type { Piece } from "./span-text.ts";
import { extentOf } from "./span-tree.ts";
import type { Paint, Style } from "./terminal.ts";
import { cutTo, widthOf } from "./text-table.ts";
import { timelineBar } from "./timeline-bar.ts";
import type { Scale } from "./timeline-bar.ts";
import { durationText } from "./time-text.ts";

export interface LineOptions {
  readonly columns: number;
  readonly paint: Paint;
  readonly cwd: string;
  readonly verbose: boolean;
}

/** A group with its place in the tree. */
interface Row {
  readonly group: SpanGroup;
  /** Drawn before its name. */
  readonly branch: string;
  /** Drawn before what is written below its name. */
  readonly stem: string;
  readonly isTop: boolean;
  readonly name: string;
  readonly took: string;
  readonly place: string;
}

interface Layout {
  readonly scale: Scale;
  readonly tookChars: number;
  /** Of name and place together. */
  readonly textChars: number;
  /** Of names that have a place behind them. */
  readonly nameChars: number;
}

const between = "  ";
/** Narrower, and there is no room for bars. */
const columnsForBars = 40;
const barShare = 0.25;
/** Of name and place together, what is kept for the place. */
const placeShare = 0.45;
const nameCharsMin = 8;

export function waterfallLines(groups: readonly SpanGroup[], options: LineOptions): string[] {
  const rows = rowsOf(groups, options.cwd);
  const layout = layoutOf(rows, options);
  return [
    headLine(layout, rows, options.paint),
    ...rows.flatMap((row) => [
      rowLine(row, layout, options),
      ...(options.verbose ? rowDetails(row, layout, options) : []),
    ]),
  ];
}

interface Above {
  readonly stem: string;
  readonly service: string;
}

function rowsOf(groups: readonly SpanGroup[], cwd: string, above?: Above): Row[] {
  return groups.flatMap((group, index) => {
    const { first, children } = group;
    const isLast = index === groups.length - 1;
    const stem = above === undefined ? "" : above.stem + (isLast ? "  " : "│ ");
    const row: Row = {
      group,
      branch: above === undefined ? "" : above.stem + (isLast ? "└ " : "├ "),
      stem: stem + (children.length > 0 ? "│ " : "  "),
      isTop: above === undefined,
      name: whatText(first, above?.service),
      took: durationText(stretchMs(group)),
      // What the node does by itself, no line of a service has asked for.
      place: first.site === undefined || isOfNode(first) ? "" : placeText(first.site, cwd),
    };
    return [row, ...rowsOf(children, cwd, { stem, service: first.service })];
  });
}

function layoutOf(rows: readonly Row[], { columns }: LineOptions): Layout {
  const extent = extentOf(rows.flatMap(({ group }) => group.spans));
  const cells = columns < columnsForBars ? 0 : Math.floor(columns * barShare);
  const tookChars = widest(["TOOK", ...rows.map(({ took }) => took)]);
  const barChars = cells === 0 ? 0 : cells + between.length;
  const textChars = Math.max(nameCharsMin, columns - barChars - tookChars - between.length);
  const placed = rows.filter(({ place }) => place !== "");
  const names = placed.map((row) =>
    namePieces(row, textChars)
      .map(({ text }) => text)
      .join(""),
  );
  // A long name pushes its own place aside, not those of all.
  const placeChars = Math.min(widest(placed.map(({ place }) => place)), textChars * placeShare);
  const placeRoom = Math.max(placeCharsMin, Math.floor(placeChars)) + between.length;
  const nameChars = Math.min(widest(names), textChars - placeRoom);
  return { scale: { ...extent, cells }, tookChars, textChars, nameChars };
}

function widest(texts: readonly string[]): number {
  return texts.reduce((width, text) => Math.max(width, widthOf(text)), 0);
}

/** `0        16.5 ms   TOOK  SPAN    CALLED AT`. */
function headLine(layout: Layout, rows: readonly Row[], paint: Paint): string {
  const { scale, tookChars, nameChars } = layout;
  const end = durationText(scale.endMs - scale.startMs);
  const bar = scale.cells === 0 ? "" : `0${end.padStart(scale.cells - 1)}${between}`;
  const hasPlaces = rows.some(({ place }) => place !== "") && nameChars > 0;
  const names = hasPlaces ? `${"SPAN".padEnd(nameChars)}${between}CALLED AT` : "SPAN";
  return paint("faint", `${bar}${"TOOK".padStart(tookChars)}${between}${names}`);
}

function rowLine(row: Row, layout: Layout, { paint }: LineOptions): string {
  const { scale, tookChars, textChars, nameChars } = layout;
  const { group, took, place } = row;
  const bar = scale.cells === 0 ? "" : timelineBar(group.spans, scale) + between;
  const pieces = namePieces(row, textChars);
  const name = pieces.map(({ text, style }) =>
    style === undefined || text === "" ? text : paint(style, text),
  );
  const width = widthOf(name.join(""));
  const room = textChars - Math.max(width, nameChars) - between.length;
  const short = place === "" ? "" : shortPlace(place, room);
  const behind =
    short === ""
      ? ""
      : " ".repeat(Math.max(0, nameChars - width)) + between + paint("faint", short);
  return (
    paint(barStyle(row), bar) + `${took.padStart(tookChars)}${between}${name.join("")}${behind}`
  ).trimEnd();
}

/** Calls, what they ask of stores and buses, and what failed. */
function barStyle({ group }: Row): Style {
  const { error, kind } = group.first;
  if (error !== undefined) return error.isFailure ? "bad" : "warning";
  if (isOfNode(group.first)) return "faint";
  return kind === "client" || kind === "producer" ? "good" : "name";
}

/** Branch, name and marks in at most so many characters: the name is cut, then marks go. */
function namePieces(row: Row, charsMax: number): Piece[] {
  const { group, isTop } = row;
  const branch = shortBranch(row.branch, Math.floor(charsMax / 3));
  const style = isTop ? "strong" : isOfNode(group.first) ? "faint" : undefined;
  const marks = marksOf(group, isTop).flatMap((mark) => [{ text: between }, mark]);
  const marksChars = marks.reduce((sum, { text }) => sum + widthOf(text), 0);
  const room = charsMax - widthOf(branch);
  const name = cutTo(row.name, Math.max(nameCharsMin, room - marksChars));
  const pieces: Piece[] = [
    { text: branch, style: "faint" },
    { text: name, style },
  ];
  let left = room - widthOf(name);
  for (const mark of marks) {
    if (left <= 0) break;
    const text = cutTo(mark.text, left);
    pieces.push({ ...mark, text });
    left -= widthOf(text);
  }
  return pieces;
}

/** Of a branch that is too deep only the end is drawn. */
function shortBranch(branch: string, charsMax: number): string {
  const chars = Array.from(branch);
  return chars.length <= charsMax ? branch : `…${chars.slice(1 - Math.max(3, charsMax)).join("")}`;
}

function rowDetails(row: Row, layout: Layout, { paint, cwd }: LineOptions): string[] {
  const { scale, tookChars, textChars } = layout;
  const left = (scale.cells === 0 ? 0 : scale.cells + between.length) + tookChars + between.length;
  const stem = shortBranch(row.stem, Math.floor(textChars / 3));
  const charsMax = textChars - widthOf(stem);
  return detailLines(row.group, { charsMax, cwd }).map(({ text, style = "faint" }) =>
    `${" ".repeat(left)}${paint("faint", stem)}${paint(style, text)}`.trimEnd(),
  );
}
