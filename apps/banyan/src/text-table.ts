/** Columns that line up, for people; two spaces between them and nothing at the end of a line. */

import { stripVTControlCharacters } from "node:util";

/** Rows of cells to lines. Cells may hold colours. */
export function textTable(rows: readonly (readonly string[])[], indent = ""): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    }
  }
  return rows
    .map((row) => {
      const cells = row.map(
        (cell, column) => cell + " ".repeat((widths[column] ?? 0) - widthOf(cell)),
      );
      return `${indent}${cells.join("  ")}`.trimEnd();
    })
    .join("\n");
}

/** Text of others (a summary, a value) on one line and without control characters. */
export function oneLine(text: string): string {
  return stripVTControlCharacters(text).replaceAll(/[\u0000-\u001f\u007f-\u009f]+/g, " ");
}

/**
 * The same with nothing lost: what would move the cursor, or turn the text around, is written as
 * `\\n` or `\\u001b`. Inside JSON that is the same JSON.
 */
export function escaped(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const short = JSON.stringify(character).slice(1, -1);
    if (short !== character) return short;
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** JSON over several lines, for people. */
export function prettyJson(value: unknown): string {
  const text = JSON.stringify(value, undefined, 2) ?? "";
  return text.split("\n").map(escaped).join("\n");
}

/** Characters, near enough: an emoji of several code points may shift its line. */
export function widthOf(cell: string): number {
  return Array.from(stripVTControlCharacters(cell)).length;
}

/** JSON on one line, cut where a table would lose its shape. */
export function shortJson(value: unknown, charsMax = 80): string {
  return cutTo(escaped(JSON.stringify(value) ?? ""), charsMax);
}

/** Text without colours, cut at its end where it is longer. */
export function cutTo(text: string, charsMax: number): string {
  const chars = Array.from(text);
  if (chars.length <= charsMax) return text;
  return charsMax < 1 ? "" : `${chars.slice(0, charsMax - 1).join("")}…`;
}

/** Words, coloured or not, on as few lines as they need; one that is too long has its own. */
export function wrapped(words: readonly string[], between: string, charsMax: number): string[] {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    const longer = line === undefined ? word : line + between + word;
    if (line !== undefined && widthOf(longer) <= charsMax) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}
