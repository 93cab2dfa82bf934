/**
 * Settings that name a file which a start would read: those whose schema says `x-file`. One that
 * cannot be read is a problem of the configuration, told with its place and before anything opens.
 */

import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { originText, sectionValue } from "@banyan/kernel/internal";
import type { ConfigProblem, ConfigResolution, ConfigSection } from "@banyan/kernel/internal";

interface FileSetting {
  readonly path: readonly string[];
  readonly file: string;
}

export async function fileProblems(
  sections: readonly ConfigSection[],
  resolution: ConfigResolution,
): Promise<ConfigProblem[]> {
  const settings = sections.flatMap(({ path, schema }) =>
    filesOf(schema, sectionValue(resolution, path), path),
  );
  const problems = await Promise.all(
    settings.map(async (setting) =>
      (await isReadable(setting.file)) ? [] : [problemOf(setting, resolution)],
    ),
  );
  return problems.flat();
}

function filesOf(schema: unknown, value: unknown, path: readonly string[]): FileSetting[] {
  if (!isRecord(schema)) return [];
  if (typeof value === "string") return schema["x-file"] === true ? [{ path, file: value }] : [];
  const { anyOf, properties } = schema;
  const branches: readonly unknown[] = Array.isArray(anyOf) ? anyOf : [];
  const below = branches.flatMap((branch) => filesOf(branch, value, path));
  if (!isRecord(value) || !isRecord(properties)) return below;
  const own = Object.entries(properties).flatMap(([name, part]) =>
    filesOf(part, value[name], [...path, name]),
  );
  return [...below, ...own];
}

function problemOf({ path, file }: FileSetting, { origins }: ConfigResolution): ConfigProblem {
  const pointers = path.map((_, index) => `/${path.slice(0, path.length - index).join("/")}`);
  const origin = pointers.map((pointer) => origins.get(pointer)).find((each) => each !== undefined);
  const lead = origin === undefined ? "" : `${originText(origin)}: `;
  return {
    pointer: pointers[0] ?? "",
    ...(origin === undefined ? {} : { origin }),
    message: `${lead}${path.join(".")} names ${file}, which cannot be read.`,
    fix: "Name a file that this user may read; a relative path begins where the node is started.",
  };
}

async function isReadable(file: string): Promise<boolean> {
  try {
    await access(file, constants.R_OK);
    return true;
  } catch {
    // Whatever keeps it from being read is told as one problem.
    return false;
  }
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
