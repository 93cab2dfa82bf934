/** A project of one service: the example's, in JavaScript with its types stripped, or as it is. */

import { mkdir, readFile, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";
import type { TemporaryDirectory } from "@banyan/testbed";
import { makeProjectFolder, repositoryRoot } from "../project-folder.ts";

export interface GreeterOptions {
  /** The service as JavaScript, or as the TypeScript that Node strips at every start. */
  readonly language: "js" | "ts";
  readonly fromSource: boolean;
}

export async function makeGreeterFolder(options: GreeterOptions): Promise<TemporaryDirectory> {
  const { language, fromSource } = options;
  const folder = await makeProjectFolder(fromSource);
  const service = join(folder.path, "services/greeter");
  await mkdir(service, { recursive: true });
  const manifest = {
    name: "greeter",
    private: true,
    type: "module",
    banyan: { service: "greeter", layer: "L4", module: `./greeter.service.${language}` },
  };
  await writeFile(join(service, "package.json"), JSON.stringify(manifest));
  for (const name of ["greeter.contract", "greeter.service"]) {
    const source = await readFile(join(repositoryRoot, `examples/greeter/src/${name}.ts`), "utf8");
    const code =
      language === "ts" ? source : stripTypeScriptTypes(source).replace(/\.ts";/g, '.js";');
    await writeFile(join(service, `${name}.${language}`), code);
  }
  return folder;
}
