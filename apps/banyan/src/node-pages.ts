/** Lists that a node answers page by page. */

import type { Command } from "./command.ts";
import { countFlag } from "./count-flag.ts";
import { cliErrors } from "./errors.ts";
import type { NodeAddress } from "./node-address.ts";
import { recordsOf } from "./node-answers.ts";
import { askNode } from "./node-client.ts";

/** What one page holds at most. */
const pageMax = 1000;

export interface PageQuestion {
  readonly node: NodeAddress;
  readonly path: string;
  /** Name of the list in the answer. */
  readonly list: string;
  /** The question without `after` and `limit`. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface PageOfRows {
  readonly rows: readonly Record<string, unknown>[];
  /** Where the next page begins; `undefined`: there is none, or nobody asked for more. */
  readonly next: string | undefined;
}

/**
 * Pages as `--limit`, `--after` and `--all` say: without `--all` at most `--limit` rows, by default
 * what the node calls a page. @throws CLI_USAGE, what the node answers
 */
export async function* askPages(
  { flags }: Pick<Command, "flags">,
  question: PageQuestion,
): AsyncGenerator<PageOfRows> {
  const limit = countFlag(flags, "limit");
  const all = flags.has("all");
  if (all && limit !== undefined) {
    throw cliErrors.CLI_USAGE("--all and --limit say different things.", {
      details: { fix: "Give one of them." },
    });
  }
  let left = all ? Number.POSITIVE_INFINITY : limit;
  let after = flags.text("after");
  for (;;) {
    const size = left === undefined ? undefined : Math.min(left, pageMax);
    const answer = await askNode(question.node, question.path, {
      ...question.body,
      ...(after === undefined ? {} : { after }),
      ...(size === undefined ? {} : { limit: size }),
    });
    const rows = recordsOf(answer[question.list]);
    const next = typeof answer["next"] === "string" ? answer["next"] : undefined;
    yield { rows, next };
    left = (left ?? 0) - rows.length;
    if (next === undefined || left <= 0) return;
    after = next;
  }
}
