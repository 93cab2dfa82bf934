/**
 * Where the command prints. Results go to standard output, everything about them to standard error,
 * so that a pipe gets the result alone: plain, and the same every time.
 */

import { styleText } from "node:util";

/** Colours by meaning, so that no verb chooses one. */
export type Style = "strong" | "faint" | "good" | "warning" | "bad" | "name";

const formats = {
  strong: "bold",
  faint: "gray",
  good: "green",
  warning: "yellow",
  bad: "red",
  name: "cyan",
} as const satisfies Record<Style, string>;

/** Colours a text, or leaves it as it is. */
export type Paint = (style: Style, text: string) => string;

/** Where nobody says how wide a line may be: a pipe, a terminal without a size. */
const columnsDefault = 100;

export interface Terminal {
  /** `--json` was given. */
  readonly json: boolean;
  /** Somebody reads it: standard output is a terminal. */
  readonly interactive: boolean;
  /** Characters of a line of standard output; in a pipe always the same. */
  readonly columns: number;
  /** One line, or several, to standard output. */
  print(text: string): void;
  /** To standard error. */
  note(text: string): void;
  /** For standard output. */
  readonly style: Paint;
  /** For standard error. */
  readonly styleNote: Paint;
}

export interface TerminalOptions {
  readonly json: boolean;
  readonly noColor: boolean;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly stdout: NodeJS.WriteStream;
  readonly stderr: NodeJS.WriteStream;
}

export function createTerminal(options: TerminalOptions): Terminal {
  const { json, stdout, stderr } = options;
  const colorOut = wantsColor(options, stdout);
  const colorErr = wantsColor(options, stderr);
  const paint = (wanted: boolean, style: Style, text: string): string =>
    wanted ? styleText(formats[style], text, { validateStream: false }) : text;
  return {
    json,
    interactive: stdout.isTTY === true,
    columns: (stdout.isTTY === true ? stdout.columns : 0) || columnsDefault,
    print: (text) => void stdout.write(`${text}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    style: (style, text) => paint(colorOut && !json, style, text),
    styleNote: (style, text) => paint(colorErr && !json, style, text),
  };
}

/** `--no-color`, then FORCE_COLOR, then NO_COLOR (no-color.org), then whether it is a terminal. */
function wantsColor({ noColor, env }: TerminalOptions, stream: NodeJS.WriteStream): boolean {
  if (noColor) return false;
  const forced = env["FORCE_COLOR"];
  if (forced !== undefined) return forced !== "0" && forced !== "false";
  if ((env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb") return false;
  return stream.isTTY === true;
}

/**
 * A reader that goes away (`banyan services | head -1`) ends the command silently. A node is asked
 * to stop instead, as by SIGTERM: what it has in flight is finished.
 */
export function endOnBrokenPipe(stream: NodeJS.WriteStream): void {
  let broken = false;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") throw error;
    if (broken) return;
    broken = true;
    if (!process.emit("SIGTERM", "SIGTERM")) process.exit(0);
  });
}
