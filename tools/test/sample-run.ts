/** A run of its own for a test: Node refuses `run` within a test's process. */

import { run } from "node:test";
import { Stillness } from "./stillness.ts";
import { readReport } from "./test-report.ts";

const [root = "", limitMs = "", ...files] = process.argv.slice(2);
using stillness = new Stillness({ limitMs: Number(limitMs) });
const { success } = await readReport(run({ files, concurrency: 2, signal: stillness.signal }), {
  root,
  print: (text) => process.stdout.write(text),
  heard: () => stillness.heard(),
});
process.exitCode = success ? 0 : 1;
