/** A folder of one test. */

import { rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atProcessEnd } from "./process-end.ts";

export interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
  /** A path inside. */
  join(...parts: string[]): string;
}

/**
 * Makes an empty folder that is removed at the end of the scope (`await using`), or at the latest
 * when the process ends. With `BANYAN_TEST_KEEP=1` it stays and its path is printed.
 */
export async function temporaryDirectory(name = "test"): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), `banyan-${name}-`));
  if (process.env["BANYAN_TEST_KEEP"] === "1") {
    process.stderr.write(`kept: ${path}\n`);
    return directoryAt(path, async () => undefined);
  }
  // A child that was just killed may still be writing its last block; hence the retries.
  const patiently = { recursive: true, force: true, maxRetries: 5, retryDelay: 20 };
  const forget = atProcessEnd(() => rmSync(path, patiently));
  return directoryAt(path, async () => {
    forget();
    await rm(path, patiently);
  });
}

function directoryAt(path: string, dispose: () => Promise<void>): TemporaryDirectory {
  return {
    path,
    join: (...parts) => join(path, ...parts),
    [Symbol.asyncDispose]: dispose,
  };
}
