/**
 * What a child printed, line by line, and those who wait for a line.
 *
 * I1. A waiter is settled exactly once: by a line, by the end of the output, or by its time limit.
 * I2. `index` counts every line ever printed, also those dropped when the bound was reached.
 */

import type { Readable } from "node:stream";
import { withTimeout } from "./with-timeout.ts";

export interface OutputLine {
  /** Place among all lines of the child, from 0. */
  readonly index: number;
  readonly stream: "stdout" | "stderr";
  readonly text: string;
}

export interface FoundLine extends OutputLine {
  readonly match: RegExpExecArray;
}

export interface WaitForLineOptions {
  /** Default 10 000 ms. */
  readonly timeoutMs?: number;
  /** Only lines of this stream. Default: both. */
  readonly stream?: "stdout" | "stderr";
  /** Only lines from this index on. Default 0: a line that is there already counts. */
  readonly from?: number;
}

interface Waiter {
  readonly pattern: RegExp;
  readonly options: WaitForLineOptions;
  readonly resolve: (line: FoundLine) => void;
  readonly reject: (error: Error) => void;
}

const linesMax = 20_000; // a child that prints more is being tested for something else
const tailLines = 20; // what an error shows: enough for a stack, not a flood

export class OutputLines {
  readonly #name: string;
  readonly #lines: OutputLine[] = [];
  readonly #waiters = new Set<Waiter>();
  #next = 0;
  #ending: string | undefined;

  constructor(name: string) {
    this.#name = name;
  }

  get lines(): readonly OutputLine[] {
    return this.#lines;
  }

  /** Index that the next line will have. */
  get nextIndex(): number {
    return this.#next;
  }

  textOf(stream: "stdout" | "stderr"): string {
    return this.#lines
      .filter((line) => line.stream === stream)
      .map(({ text }) => `${text}\n`)
      .join("");
  }

  collect(source: Readable, stream: "stdout" | "stderr"): void {
    let rest = "";
    source.setEncoding("utf8");
    source.on("data", (chunk: string) => {
      const parts = (rest + chunk).split("\n");
      rest = parts.pop() ?? "";
      for (const text of parts) this.#add(stream, text.replace(/\r$/, ""));
    });
    source.on("end", () => {
      if (rest !== "") this.#add(stream, rest);
      rest = "";
    });
    // A pipe that breaks is a child that died; its exit says so.
    source.on("error", () => undefined);
  }

  /** Nothing more will come: whoever still waits is told why. */
  end(ending: string): void {
    this.#ending ??= ending;
    for (const waiter of this.#waiters) waiter.reject(this.#failure(waiter.pattern, ending));
    this.#waiters.clear();
  }

  async wait(pattern: RegExp, options: WaitForLineOptions = {}): Promise<FoundLine> {
    for (const line of this.#lines) {
      const found = find(line, pattern, options);
      if (found !== undefined) return found;
    }
    if (this.#ending !== undefined) throw this.#failure(pattern, this.#ending);
    const { promise, resolve, reject } = Promise.withResolvers<FoundLine>();
    const waiter: Waiter = { pattern, options, resolve, reject };
    this.#waiters.add(waiter);
    try {
      return await withTimeout(promise, { what: `A line ${String(pattern)}`, ...options });
    } catch (error) {
      if (!this.#waiters.has(waiter)) throw error;
      const { message } = error instanceof Error ? error : new Error(String(error));
      throw new Error(`${message}\n${this.tail()}`, { cause: error });
    } finally {
      this.#waiters.delete(waiter);
    }
  }

  /** The last lines, for an error message. */
  tail(): string {
    const last = this.#lines.slice(-tailLines).map(({ stream, text }) => `  ${stream}| ${text}`);
    return [`${this.#name} printed${last.length === 0 ? " nothing." : ":"}`, ...last].join("\n");
  }

  #add(stream: "stdout" | "stderr", text: string): void {
    const line: OutputLine = { index: this.#next, stream, text };
    this.#next += 1;
    this.#lines.push(line);
    if (this.#lines.length > linesMax) this.#lines.splice(0, linesMax / 2);
    for (const waiter of this.#waiters) {
      const found = find(line, waiter.pattern, waiter.options);
      if (found === undefined) continue;
      this.#waiters.delete(waiter);
      waiter.resolve(found);
    }
  }

  #failure(pattern: RegExp, ending: string): Error {
    return new Error(
      `No line ${String(pattern)} can come: ${this.#name} ${ending}.\n${this.tail()}`,
    );
  }
}

function find(
  line: OutputLine,
  pattern: RegExp,
  options: WaitForLineOptions,
): FoundLine | undefined {
  if (line.index < (options.from ?? 0)) return undefined;
  if (options.stream !== undefined && line.stream !== options.stream) return undefined;
  // A global or sticky pattern remembers where it stopped; each line is read from its start.
  pattern.lastIndex = 0;
  const match = pattern.exec(line.text);
  return match === null ? undefined : { ...line, match };
}
