/**
 * The few settings the command needs before there is a node: where services are looked for, where
 * the data directory is. The node documents and checks them; here they are
 * only read, in its order: flag > environment > file > default.
 */

import { dirname, resolve } from "node:path";
import { convertText, getAtPointer } from "@banyan/kernel/internal";
import type { ConfigFlag } from "@banyan/kernel/internal";
import type { Command } from "./command.ts";
import { openConfigFile } from "./config-file.ts";
import type { FoundConfigFile } from "./config-file.ts";
import { cliErrors } from "./errors.ts";
import { joinFlags } from "./join-flag.ts";

/** Defaults of keys that the node declares; a test holds them equal. */
export const settingDefaults = Object.freeze({
  dataDir: ".banyan",
  discover: Object.freeze(["services/*"]),
});

export interface Settings {
  readonly configFile: FoundConfigFile | undefined;
  /** Folder of the configuration file, else the working folder: relative paths start here. */
  readonly base: string;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly flags: readonly ConfigFlag[];
}

type Lookup = Pick<Command, "flags" | "env" | "cwd">;

/** The configuration file that was named: `--config`, then BANYAN_CONFIG. */
export function namedConfig({ flags, env }: Lookup): string | undefined {
  return flags.text("config") ?? nonEmpty(env["BANYAN_CONFIG"]);
}

/** Reads flags, environment and file. @throws CLI_CONFIG_UNREADABLE, CLI_USAGE */
export async function openSettings(command: Lookup): Promise<Settings> {
  const configFile = await openConfigFile({ cwd: command.cwd, flag: namedConfig(command) });
  const base = configFile === undefined ? command.cwd : dirname(configFile.path);
  const flags = configFlags(command);
  const found = { configFile, base, flags };
  const flagged = flags.findLast(({ pointer }) => pointer === "/node/dataDir");
  if (flagged?.value === "") {
    // It would be the working folder itself, which is nobody's data directory by accident.
    throw cliErrors.CLI_USAGE(`${flagged.flag} is empty.`, {
      details: { fix: "Name a folder, or leave it out for the default." },
    });
  }
  const dataDir = readSetting(found, command.env, {
    pointer: "/node/dataDir",
    variable: "BANYAN_DATA_DIR",
    schema: { type: "string" },
  });
  // A path that was typed is relative to where it was typed; one in a file, to the file.
  const from = flagged === undefined ? base : command.cwd;
  const path = typeof dataDir === "string" ? dataDir : settingDefaults.dataDir;
  return { ...found, dataDirectory: resolve(from, path) };
}

export interface SettingName {
  readonly pointer: string;
  readonly variable: string;
  readonly schema: { readonly type: string; readonly items?: { readonly type: string } };
}

/** The strongest value; what does not fit is left to the node to refuse. */
export function readSetting(
  { flags, configFile }: Pick<Settings, "flags" | "configFile">,
  env: Command["env"],
  { pointer, variable, schema }: SettingName,
): unknown {
  const flagged = flags.findLast((flag) => flag.pointer === pointer)?.value;
  const text = flagged ?? nonEmpty(env[variable]);
  if (typeof text === "string") {
    const conversion = convertText(text, schema);
    return conversion.kind === "value" ? conversion.value : undefined;
  }
  return text ?? getAtPointer(configFile?.file.tree, pointer);
}

/** `--port`, `--host`, `--data-dir`, `--join` and `--set`, as the resolution wants them. */
function configFlags({ flags }: Lookup): ConfigFlag[] {
  const named = [
    { flag: "--port", pointer: "/http/port", value: flags.text("port") },
    { flag: "--host", pointer: "/http/host", value: flags.text("host") },
    { flag: "--data-dir", pointer: "/node/dataDir", value: flags.text("data-dir") },
  ];
  const set = flags.texts("set").map((text) => {
    const { key, value } = splitAssignment(text);
    return { flag: `--set ${key}`, pointer: `/${key.replaceAll(".", "/")}`, value };
  });
  const joined = joinFlags(flags.text("join"));
  return [...set, ...joined, ...named.filter(({ value }) => value !== undefined)];
}

function splitAssignment(text: string): { key: string; value: string } {
  const at = text.indexOf("=");
  const key = text.slice(0, Math.max(at, 0));
  if (at > 0 && /^[\w-]+(?:\.[\w-]+)*$/.test(key)) return { key, value: text.slice(at + 1) };
  throw cliErrors.CLI_USAGE(`--set ${text} is no assignment.`, {
    details: { fix: "Write --set key=value, such as --set http.port=8080." },
  });
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}
