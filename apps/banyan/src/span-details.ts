/** What `--verbose` writes below a span: how it failed, where it was asked for, its attributes. */

import { slowestOf } from "./span-folding.ts";
import type { SpanGroup } from "./span-folding.ts";
import { placeText } from "./span-text.ts";
import type { Piece } from "./span-text.ts";
import { cutTo, escaped, wrapped } from "./text-table.ts";

export interface DetailOptions {
  readonly charsMax: number;
  readonly cwd: string;
}

/** Longer values are cut; `--json` has them whole. */
const valueCharsMax = 200;

/** Of several that are the same, those of the slowest. */
export function detailLines(group: SpanGroup, { charsMax, cwd }: DetailOptions): Piece[] {
  const { error, site, attributes, spanId } = slowestOf(group);
  const lines: Piece[] = [];
  if (error !== undefined) {
    const words = `${error.code} (${error.kind}): ${error.message}`;
    const parts = wrapped(escaped(words).split(" "), " ", charsMax);
    lines.push(...parts.map((text): Piece => ({ text, style: "bad" })));
  }
  if (site !== undefined) {
    const name = site.function === "" ? "" : ` in ${site.function}`;
    lines.push({ text: escaped(`${placeText(site, cwd)}:${site.column}${name}`) });
  }
  const facts = Object.entries({ span: spanId, ...attributes }).map(([key, value]) => {
    const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
    return cutTo(escaped(`${key}=${text}`), valueCharsMax);
  });
  return [...lines, ...wrapped(facts, "  ", charsMax).map((text) => ({ text }))];
}
