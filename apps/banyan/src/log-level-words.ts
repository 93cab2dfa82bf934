/** What the words of `banyan log level` mean. */

import { nearest } from "@banyan/kernel/internal";
import { cliErrors } from "./errors.ts";

export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

export type LevelWish =
  | { readonly kind: "show"; readonly service?: string }
  | { readonly kind: "set"; readonly service?: string; readonly level: string }
  | { readonly kind: "reset"; readonly service: string };

export interface LevelWords {
  readonly words: readonly string[];
  /** `--reset` was given. */
  readonly reset: boolean;
  /** Services of the node; asked for where a word alone may be one. */
  readonly services: () => Promise<readonly string[]>;
}

/**
 * A level alone is meant for all, also where a service has its name: that service's level is set
 * with two words. Whether a service is there, of two words, is for the node to say.
 * @throws CLI_USAGE with the nearest word
 */
export async function readLevelWords({ words, reset, services }: LevelWords): Promise<LevelWish> {
  const [first, second] = words;
  if (reset) return readReset(words);
  if (first === undefined) return { kind: "show" };
  if (second !== undefined) {
    if (isLevel(second)) return { kind: "set", service: first, level: second };
    throw noLevel(first, second);
  }
  if (isLevel(first)) return { kind: "set", level: first };
  const known = await services();
  if (known.includes(first)) return { kind: "show", service: first };
  throw neither(first, known);
}

function isLevel(word: string): boolean {
  return logLevels.some((level) => level === word);
}

function readReset([service, level]: readonly string[]): LevelWish {
  if (service === undefined) {
    throw cliErrors.CLI_USAGE("Of which service is the level to be reset?", {
      details: {
        fix: "Name it: `banyan log level greeter --reset`. The level of all is set by its name.",
      },
    });
  }
  if (level === undefined) return { kind: "reset", service };
  throw cliErrors.CLI_USAGE(`--reset and "${level}" say different things.`, {
    details: { fix: "Give one of them." },
  });
}

function noLevel(service: string, word: string): Error {
  const near = nearest(word, logLevels);
  const fix = isLevel(service)
    ? `The service comes first: \`banyan log level ${word} ${service}\`.`
    : near === undefined
      ? `Levels: ${logLevels.join(", ")}.`
      : `Did you mean \`banyan log level ${service} ${near}\`?`;
  return cliErrors.CLI_USAGE(`"${word}" is no level.`, { details: { fix } });
}

function neither(word: string, services: readonly string[]): Error {
  const near = nearest(word, [...logLevels, ...services]);
  return cliErrors.CLI_USAGE(`"${word}" is neither a level nor a service of this node.`, {
    details: {
      fix:
        near === undefined
          ? `Levels: ${logLevels.join(", ")}. Services: ${services.join(", ")}.`
          : `Did you mean ${near}?`,
    },
  });
}
