/** `npm run reference`: writes the reference pages that come from the sources. */

import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { loadRepo } from "../tidy/repo.ts";
import { errorEntries, errorPage, renderErrorPage } from "../tidy/rules/error-docs.ts";

const root = resolve(import.meta.dirname, "../..");
const path = join(root, errorPage);
mkdirSync(dirname(path), { recursive: true });
writeFileSync(path, renderErrorPage(errorEntries(loadRepo(root))));
console.log(`wrote ${errorPage}`);
