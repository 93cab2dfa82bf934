/** `npm run build` */

import { resolve } from "node:path";
import { build } from "./build.ts";

const startedAt = performance.now();
const { code, output } = await build(resolve(import.meta.dirname, "../.."));
process.stdout.write(output);
console.log(
  `${code === 0 ? "✔" : "✖"} build  ${((performance.now() - startedAt) / 1000).toFixed(1)} s`,
);
process.exitCode = code;
