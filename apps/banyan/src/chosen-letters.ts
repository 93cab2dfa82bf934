/** Which dead letters a command means: some by id, or, asked again, all of a subscription. */

import type { Command } from "./command.ts";
import { confirm } from "./confirm.ts";
import { countFlag } from "./count-flag.ts";
import { cliErrors } from "./errors.ts";
import { numberOf } from "./node-answers.ts";

/** How long the node may take for as many as one call takes. */
export const manyTimeoutMs = 600_000;

/** A question that needs a yes. */
export interface Intention {
  /** `Redrive`, `Discard`. */
  readonly verb: string;
  /** What it leads to, as a sentence; empty where nothing is lost. */
  readonly warning: string;
}

/**
 * The request for the node, or `undefined` when somebody at the terminal said no.
 * @throws CLI_USAGE
 */
export async function chooseLetters(
  command: Command,
  intention: Intention,
): Promise<Record<string, unknown> | undefined> {
  const { args: ids, flags } = command;
  const subscription = flags.text("subscription");
  const limit = countFlag(flags, "limit");
  if (ids.length > 0) {
    const other = ["all", "subscription", "limit"].find((name) => flags.has(name));
    if (other === undefined) return { ids: [...new Set(ids)] };
    throw cliErrors.CLI_USAGE(`Ids and --${other} say different things.`, {
      details: { fix: "Give ids alone, or --subscription <name> --all." },
    });
  }
  if (!flags.has("all") || subscription === undefined) {
    const missing = flags.has("all") ? "--subscription <name>" : "ids, or --subscription and --all";
    throw cliErrors.CLI_USAGE(`\`banyan ${command.verb.name}\` needs ${missing}.`, {
      details: { fix: "`banyan events dead-letters list` shows ids and subscriptions." },
    });
  }
  const how = limit === undefined ? "all" : `up to ${limit}`;
  const question = `${intention.verb} ${how} dead letters of ${subscription}?${intention.warning}`;
  if (!flags.has("yes") && !(await confirm(command, question))) return undefined;
  return { subscription, all: true, ...(limit === undefined ? {} : { limit }) };
}

/**
 * Says what the answer leaves over. A script must see it: what was chosen and stays is an error,
 * after the result. @throws CLI_LETTERS_LEFT
 */
export function tellWhatStays(
  { terminal }: Command,
  answer: Readonly<Record<string, unknown>>,
): void {
  if (answer["more"] === true && !terminal.json) {
    const words = "there are more: give the same command again";
    terminal.note(terminal.styleNote("warning", words));
  }
  const left = numberOf(answer["left"]);
  if (left === 0) return;
  const what = left === 1 ? "One of them stays as it was" : `${left} of them stay as they were`;
  throw cliErrors.CLI_LETTERS_LEFT(`${what}: not there, or the subscription is gone or full.`, {
    details: { fix: "`banyan events dead-letters list` shows what there is." },
  });
}
