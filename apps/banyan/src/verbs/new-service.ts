/** `banyan new service <name>`: a service that works, in its own folder. */

import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { isLayer, layers } from "@banyan/kernel/internal";
import type { Command } from "../command.ts";
import { cliErrors } from "../errors.ts";
import { serviceFiles } from "../service-template.ts";
import { readSetting, openSettings, settingDefaults } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { commandName } from "../try-it.ts";
import { readVersion } from "../version.ts";

const namePattern = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;
const nameLengthMax = 48;
/** Names of the platform's own sections and service. */
const reserved = ["node", "http", "log", "engines", "enable", "limits", "discover", "services"];

export async function run(command: Command): Promise<void> {
  const { terminal, flags, cwd } = command;
  const [name = ""] = command.args;
  assertName(name);
  const layer = flags.text("layer") ?? "L4";
  assertLayer(layer);
  const settings = await openSettings(command);
  const dir = flags.text("dir");
  const parent = dir === undefined ? join(settings.base, "services") : resolve(cwd, dir);
  const folder = join(parent, name);
  if (existsSync(folder)) {
    throw cliErrors.CLI_FILE_EXISTS(`${shown(folder, cwd)} exists already; nothing was changed.`, {
      details: { where: folder, fix: "Choose another name, or another --dir." },
    });
  }
  const baseConfig = findAbove(folder, "tsconfig.base.json");
  const packages = findAbove(folder, "packages/kernel/package.json");
  const files = serviceFiles({
    name,
    layer,
    platformVersion: readVersion(),
    baseConfig: baseConfig === undefined ? undefined : relativePath(folder, baseConfig),
    packagesFolder:
      packages === undefined ? undefined : relativePath(folder, dirname(dirname(packages))),
  });
  writeAll(folder, files);
  if (terminal.json) {
    terminal.print(JSON.stringify({ service: name, folder, files: [...files.keys()] }));
    return;
  }
  terminal.print(`${terminal.style("good", "wrote")} ${shown(folder, cwd)}`);
  for (const path of files.keys()) terminal.print(`  ${path}`);
  const found = isDiscovered(parent, settings, command.env);
  const build = findAbove(folder, "tsconfig.build.json");
  const project = findAbove(folder, "package.json");
  const prefix = ` --prefix ${shown(folder, cwd)}`;
  const banyan = commandName(command.env);
  const steps = [
    ...(build === undefined ? [] : [`add ${shown(folder, cwd)} to ${shown(build, cwd)}`]),
    `npm install${project === undefined ? prefix : ""}   # once, so that it finds its packages`,
    `npm test${prefix}`,
    found ? `${banyan} up` : `${banyan} up --services ./${shown(folder, cwd)}`,
    `${banyan} call ${name} say to=Ada`,
  ];
  terminal.note(`\nNext:\n${steps.map((step) => `  ${step}`).join("\n")}`);
}

function assertName(name: string): void {
  if (!namePattern.test(name) || name.length > nameLengthMax) {
    const near = name
      .replaceAll(/([a-z0-9])([A-Z])/g, "$1-$2")
      .toLowerCase()
      .replaceAll(/[^a-z0-9]+/g, "-")
      .replaceAll(/^[-0-9]+|-+$/g, "")
      .slice(0, nameLengthMax);
    throw cliErrors.CLI_USAGE(`"${name}" is no service name.`, {
      details: {
        fix: `Use lower-case letters and digits, words joined by hyphens${near === "" ? "" : `: ${near}`}.`,
      },
    });
  }
  if (!reserved.includes(name)) return;
  throw cliErrors.CLI_USAGE(`"${name}" belongs to the platform.`, {
    details: { fix: "Choose another name for the service." },
  });
}

function assertLayer(layer: string): void {
  if (isLayer(layer) && layer !== "L0") return;
  const known = Object.entries(layers).slice(1);
  throw cliErrors.CLI_USAGE(`"${layer}" is no layer for a service.`, {
    details: {
      fix: `Use one of: ${known.map(([key, rule]) => `${key} ${rule.name}`).join(", ")}.`,
    },
  });
}

/** All files or none: they are written beside the place and moved there at the end. */
function writeAll(folder: string, files: ReadonlyMap<string, string>): void {
  const draft = `${folder}.new-${process.pid}`;
  try {
    for (const [path, text] of files) {
      mkdirSync(dirname(join(draft, path)), { recursive: true });
      writeFileSync(join(draft, path), text, { flag: "wx" });
    }
    renameSync(draft, folder);
  } catch (error) {
    rmSync(draft, { recursive: true, force: true });
    throw error;
  }
}

function findAbove(folder: string, name: string): string | undefined {
  for (let at = dirname(folder); ; at = dirname(at)) {
    const path = join(at, name);
    if (existsSync(path)) return path;
    if (dirname(at) === at) return undefined;
  }
}

function isDiscovered(parent: string, settings: Settings, env: Command["env"]): boolean {
  const patterns = readSetting(settings, env, {
    pointer: "/discover",
    variable: "BANYAN_DISCOVER",
    schema: { type: "array", items: { type: "string" } },
  });
  const list: readonly unknown[] = Array.isArray(patterns) ? patterns : settingDefaults.discover;
  return list.some((pattern) => resolve(settings.base, String(pattern)) === join(parent, "*"));
}

function relativePath(from: string, to: string): string {
  const path = relative(from, to).replaceAll("\\", "/");
  return path.startsWith(".") ? path : `./${path}`;
}

function shown(path: string, cwd: string): string {
  const near = relative(cwd, path);
  return near.startsWith("..") ? path : near;
}
