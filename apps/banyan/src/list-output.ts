/** Pages of rows on the terminal: a table for people, JSON for machines. */

import type { Command } from "./command.ts";
import { askPages } from "./node-pages.ts";
import type { PageQuestion } from "./node-pages.ts";
import { quoted } from "./try-it.ts";
import { escaped, textTable } from "./text-table.ts";

type Row = Readonly<Record<string, unknown>>;

export interface ListOutput {
  readonly question: PageQuestion;
  readonly head: readonly string[];
  readonly cells: (row: Row) => readonly string[];
  /** Said when there is nothing. */
  readonly nothing: string;
}

/**
 * Prints what `--limit`, `--after` and `--all` ask for. JSON is one object with `next` where there
 * is more; with `--all` it is one row per line, as there may be millions.
 */
export async function printList(command: Command, output: ListOutput): Promise<void> {
  const { terminal, flags } = command;
  const { question, head, cells } = output;
  const rows: Row[] = [];
  let shown = 0;
  let next: string | undefined;
  for await (const page of askPages(command, question)) {
    next = page.next;
    shown += page.rows.length;
    if (terminal.json && flags.has("all")) {
      for (const row of page.rows) terminal.print(JSON.stringify(row));
    } else if (terminal.json) rows.push(...page.rows);
    else if (page.rows.length > 0) {
      // The columns of a page line up; with all pages in memory a large store would not fit.
      const titles =
        shown === page.rows.length ? [head.map((each) => terminal.style("faint", each))] : [];
      terminal.print(textTable([...titles, ...page.rows.map(cells)]));
    }
  }
  if (terminal.json) {
    if (!flags.has("all")) {
      const more = next === undefined ? {} : { next };
      terminal.print(JSON.stringify({ [question.list]: rows, ...more }));
    }
    return;
  }
  if (shown === 0) {
    const after = flags.text("after");
    const words =
      after === undefined ? output.nothing : `There is nothing after ${JSON.stringify(after)}.`;
    terminal.note(terminal.styleNote("faint", escaped(words)));
  }
  if (next !== undefined) {
    const words = `There is more: --after ${shellWord(next)} goes on, --all shows everything.`;
    terminal.note(terminal.styleNote("faint", words));
  }
}

/** With control characters as bash, zsh and ksh read them. */
function shellWord(text: string): string {
  if (escaped(text) === text) return quoted(text);
  return `$'${escaped(text.replaceAll(/[\\']/g, "\\$&"))}'`;
}
