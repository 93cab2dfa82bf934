/**
 * A folder as a user of the published packages would have it: one service, in JavaScript, with the
 * platform beside it in `node_modules`. The service is the example's, its types stripped.
 */

import { cp, mkdir, readFile, symlink, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join, resolve } from "node:path";
import { temporaryDirectory } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";

const root = resolve(import.meta.dirname, "../../..");

export const repositoryRoot = root;

export interface GreeterOptions {
  /** The service as JavaScript, or as the TypeScript that Node strips at every start. */
  readonly language: "js" | "ts";
  readonly fromSource: boolean;
}

/** The folder; the `banyan` command of it is at `banyanBin(folder, …)`. */
export async function makeGreeterFolder(options: GreeterOptions): Promise<TemporaryDirectory> {
  const { language, fromSource } = options;
  const folder = await temporaryDirectory("bench");
  // Without its sources beside it, as it is published, the command can only run what was built.
  const published = fromSource ? [] : ["bin", "dist", "package.json"];
  for (const part of published) {
    await cp(join(root, "apps/banyan", part), folder.join("banyan", part), { recursive: true });
  }
  const service = join(folder.path, "services/greeter");
  await mkdir(service, { recursive: true });
  await symlink(join(root, "node_modules"), join(folder.path, "node_modules"));
  await writeFile(join(folder.path, "package.json"), '{ "private": true, "type": "module" }\n');
  const manifest = {
    name: "greeter",
    private: true,
    type: "module",
    banyan: { service: "greeter", layer: "L4", module: `./greeter.service.${language}` },
  };
  await writeFile(join(service, "package.json"), JSON.stringify(manifest));
  for (const name of ["greeter.contract", "greeter.service"]) {
    const source = await readFile(join(root, `examples/greeter/src/${name}.ts`), "utf8");
    const code =
      language === "ts" ? source : stripTypeScriptTypes(source).replace(/\.ts";/g, '.js";');
    await writeFile(join(service, `${name}.${language}`), code);
  }
  return folder;
}

/** The `banyan` command to measure. */
export function banyanBin(folder: TemporaryDirectory, fromSource: boolean): string {
  const home = fromSource ? join(root, "apps/banyan") : folder.join("banyan");
  return join(home, "bin/banyan.js");
}
