/** `npm run check`: the one gate, the same here and in CI. `npm run check -- lint types` picks. */

import { resolve } from "node:path";
import { check } from "./check.ts";
import { steps } from "./steps.ts";

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(`There is no check ${unknown.join(", ")}; ${steps.map((s) => s.name).join(", ")}.`);
  process.exitCode = 2;
} else {
  const failed = await check({
    root: resolve(import.meta.dirname, "../.."),
    steps: steps.filter(({ name }) => wanted.length === 0 || wanted.includes(name)),
    print: (text) => process.stdout.write(text),
  });
  if (failed.length > 0) process.exitCode = 1;
}
