/** One command line, parsed, with everything a verb may touch. */

import type { Terminal } from "./terminal.ts";
import type { VerbSpec } from "./verb-table.ts";

export interface Command {
  readonly verb: VerbSpec;
  /** What follows the verb. */
  readonly args: readonly string[];
  readonly flags: Flags;
  readonly terminal: Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
}

/** The flags given, by name without dashes. */
export class Flags {
  readonly #values: ReadonlyMap<string, readonly (string | true)[]>;

  constructor(values: ReadonlyMap<string, readonly (string | true)[]>) {
    this.#values = values;
  }

  /** True when the flag was given. */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Its value; the last one counts. */
  text(name: string): string | undefined {
    const value = this.#values.get(name)?.at(-1);
    return typeof value === "string" ? value : undefined;
  }

  /** All its values, in order. */
  texts(name: string): string[] {
    return (this.#values.get(name) ?? []).filter((value) => typeof value === "string");
  }
}
