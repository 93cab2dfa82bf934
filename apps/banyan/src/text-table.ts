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

/** Characters, near enough: an emoji of several code points may shift its line. */
function widthOf(cell: string): number {
  return Array.from(stripVTControlCharacters(cell)).length;
}

/** JSON on one line, cut where a table would lose its shape. */
export function shortJson(value: unknown, charsMax = 80): string {
  const text = oneLine(JSON.stringify(value) ?? "");
  const chars = Array.from(text);
  return chars.length <= charsMax ? text : `${chars.slice(0, charsMax - 1).join("")}…`;
}
