/** What a start here would work with: settings and the services found. Nothing is started. */

import type { NodeOptions } from "@banyan/host";
import type { Offence } from "@banyan/kernel/internal";
import type { Command } from "./command.ts";
import { discoverServices } from "./discover.ts";
import type { FoundService } from "./service-folder.ts";
import { createEngineFinder } from "./engines.ts";
import { openSettings, readSetting, settingDefaults } from "./settings.ts";
import type { Settings } from "./settings.ts";
import { readVersion } from "./version.ts";

export interface Workspace {
  readonly settings: Settings;
  readonly services: readonly FoundService[];
  /** What is wrong with the folders of services; a start adds what it finds itself. */
  readonly offences: readonly Offence[];
  /** For `openNode` and `checkNode`; the data directory is the caller's to open. */
  readonly options: NodeOptions;
}

/** Reads the configuration and looks for services; nothing of theirs is loaded. */
export async function openWorkspace(command: Command): Promise<Workspace> {
  const settings = await openSettings(command);
  const found = findServices(command, settings);
  const { configFile } = settings;
  const options: NodeOptions = {
    services: found.services,
    config: {
      flags: settings.flags,
      env: command.env,
      files: configFile === undefined ? [] : [configFile.file],
      ...(found.only === undefined ? {} : { services: found.only }),
    },
    findEngine: createEngineFinder(settings.base),
    version: readVersion(),
  };
  return { settings, services: found.services, offences: found.offences, options };
}

/** Looks for services as `discover`, `from` and `--services` say. */
export function findServices(
  command: Command,
  settings: Settings,
): ReturnType<typeof discoverServices> {
  const patterns = readSetting(settings, command.env, {
    pointer: "/discover",
    variable: "BANYAN_DISCOVER",
    schema: { type: "array", items: { type: "string" } },
  });
  return discoverServices({
    base: settings.base,
    cwd: command.cwd,
    patterns: isTextList(patterns) ? patterns : settingDefaults.discover,
    tree: settings.configFile?.file.tree,
    only: command.flags
      .text("services")
      ?.split(",")
      .map((name) => name.trim())
      .filter((name) => name !== ""),
  });
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === "string");
}
