/**
 * Finds and reads `banyan.yaml`, and remembers where every value stands, so that a mistake in it is
 * answered with its line. The parser is loaded only when there is a file.
 */

import { readFileSync, statSync } from "node:fs";
import { basename, dirname, join, relative, resolve } from "node:path";
import type { ConfigFile } from "@banyan/kernel/internal";
import { parsePointer } from "@banyan/kernel/internal";
import type { Document, LineCounter, Node, Pair } from "yaml";
import { cliErrors } from "./errors.ts";

const configFileName = "banyan.yaml";
/** Far beyond any honest configuration; what is larger is another file. */
const sizeBytesMax = 1_048_576;
/** Uses of anchors in one file: a file of a few lines must not become gigabytes. */
const aliasesMax = 100;
const errorsShownMax = 10;
/** Where the parser speaks to programmers. */
const ownWords: Readonly<Partial<Record<string, string>>> = {
  MULTIPLE_DOCS: "A second document begins after ---; one file is one document",
};

export interface FoundConfigFile {
  /** Absolute. */
  readonly path: string;
  readonly file: ConfigFile;
}

export interface FindOptions {
  readonly cwd: string;
  /** The value of `--config`. */
  readonly flag?: string | undefined;
}

/** The file that applies here, or `undefined` where there is none. */
export async function openConfigFile(options: FindOptions): Promise<FoundConfigFile | undefined> {
  const path = findConfigFile(options);
  if (path === undefined) return undefined;
  const name = nameFor(path, options.cwd);
  return { path, file: await parseConfigFile(readText(path, name), name) };
}

/** The path of `--config`, else of the nearest `banyan.yaml` upwards. */
export function findConfigFile({ cwd, flag }: FindOptions): string | undefined {
  if (flag !== undefined) return resolve(cwd, flag);
  for (let folder = resolve(cwd); ; folder = dirname(folder)) {
    const path = join(folder, configFileName);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() === true) return path;
    if (dirname(folder) === folder) return undefined;
  }
}

/**
 * Text to tree and places.
 * @throws CLI_CONFIG_UNREADABLE with the line of every syntax error.
 */
export async function parseConfigFile(text: string, name: string): Promise<ConfigFile> {
  const yaml = await import("yaml");
  const lines = new yaml.LineCounter();
  const document = yaml.parseDocument(text, { lineCounter: lines, uniqueKeys: true });
  if (document.errors.length > 0) throw syntaxError(document, name, lines);
  let tree: unknown;
  try {
    tree = document.toJS({ maxAliasCount: aliasesMax });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw cliErrors.CLI_CONFIG_UNREADABLE(`${name}: ${reason}.`, {
      details: { where: name, fix: "Write the values out instead of repeating anchors." },
      cause,
    });
  }
  const locate: ConfigFile["locate"] = (pointer) => {
    const offset = offsetOf(document, parsePointer(pointer) ?? [], yaml);
    if (offset === undefined) return undefined;
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  return { name, tree, locate };
}

function readText(path: string, name: string): string {
  const fail = (what: string, fix: string, cause?: unknown): Error =>
    cliErrors.CLI_CONFIG_UNREADABLE(`${name} ${what}.`, { details: { where: path, fix }, cause });
  try {
    const { size } = statSync(path);
    if (size > sizeBytesMax) {
      throw fail(`has ${size} bytes; at most ${sizeBytesMax} are read`, "Is it the right file?");
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    if (!(error instanceof Error) || !("code" in error)) throw error;
    if (error.code === "ENOENT") {
      throw fail(
        "does not exist",
        `Correct the path (--config or BANYAN_CONFIG), or create ${basename(path)}.`,
        error,
      );
    }
    if (error.code === "ERR_ENCODING_INVALID_ENCODED_DATA") {
      throw fail("is not UTF-8 text", "Save it as UTF-8.", error);
    }
    if (error.code === "EISDIR") throw fail("is a folder", "Name the file in it.", error);
    if (error.code === "EACCES") throw fail("may not be read", "Correct its permissions.", error);
    throw error;
  }
}

function syntaxError(document: Document.Parsed, name: string, lines: LineCounter): Error {
  const found = document.errors.slice(0, errorsShownMax).map(({ code, pos, message }) => {
    const { line, col } = lines.linePos(pos[0]);
    const [sentence = ""] = message.split("\n");
    const words = ownWords[code] ?? sentence.replace(/ at line \d+, column \d+:?$/, "");
    return `${name}:${line}:${col}: ${words}`;
  });
  const [first = name, ...more] = found;
  return cliErrors.CLI_CONFIG_UNREADABLE([first, ...more].join("\n"), {
    details: {
      where: first.split(": ")[0] ?? name,
      fix: "Mend the YAML there; indentation and repeated keys are the usual causes.",
    },
  });
}

/** Where the value of a path starts; its key when the value begins on a later line. */
function offsetOf(
  document: Document.Parsed,
  path: readonly string[],
  yaml: typeof import("yaml"),
): number | undefined {
  let node: unknown = document.contents;
  let offset = isNode(node, yaml) ? node.range?.[0] : undefined;
  for (const token of path) {
    if (yaml.isAlias(node)) node = node.resolve(document);
    if (yaml.isMap(node)) {
      const pair: Pair | undefined = node.items.find(({ key }) => keyText(key, yaml) === token);
      if (pair === undefined) return offset;
      const keyOffset = isNode(pair.key, yaml) ? pair.key.range?.[0] : undefined;
      offset = yaml.isScalar(pair.value) ? (pair.value.range?.[0] ?? keyOffset) : keyOffset;
      node = pair.value;
    } else if (yaml.isSeq(node)) {
      const item: unknown = node.items[Number(token)];
      if (!isNode(item, yaml)) return offset;
      offset = item.range?.[0];
      node = item;
    } else return offset;
  }
  return offset;
}

function isNode(value: unknown, yaml: typeof import("yaml")): value is Node {
  return yaml.isNode(value);
}

function keyText(key: unknown, yaml: typeof import("yaml")): string {
  return String(yaml.isScalar(key) ? key.value : key);
}

/** Short where it is below the working folder, as people see it. */
function nameFor(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return near.startsWith("..") || near === "" ? path : near;
}
