/**
 * The law of a mesh, as checks that run anywhere. A mesh with wires is held to the same sentences
 * as the one within a process:
 *
 *     describeMesh({ name: "my mesh", open: async () => ({ near, far, advance, close }) });
 *
 * Every check opens a mesh of its own and is named by the sentence it proves.
 */

import { describe, test } from "node:test";
import { callLaw } from "./conformance/call-law.ts";
import { endingLaw } from "./conformance/ending-law.ts";
import { failureLaw } from "./conformance/failure-law.ts";
import type { MeshCheck, MeshSubject } from "./conformance/law-run.ts";
import { LawRun } from "./conformance/law-run.ts";
import { presenceLaw } from "./conformance/presence-law.ts";
import { streamLaw } from "./conformance/stream-law.ts";

export { LawRun } from "./conformance/law-run.ts";
export type {
  DeskHandlers,
  MeshCheck,
  MeshHarness,
  MeshNode,
  MeshSubject,
} from "./conformance/law-run.ts";

/** Every check, in the order it is best read. */
export const meshLaw: readonly MeshCheck[] = [
  ...callLaw,
  ...failureLaw,
  ...endingLaw,
  ...streamLaw,
  ...presenceLaw,
];

export interface BrokenMeshCheck {
  readonly name: string;
  readonly error: unknown;
}

/** Runs checks without a test runner; answers what did not hold. */
export async function findBrokenMeshChecks(
  subject: MeshSubject,
  checks: readonly MeshCheck[] = meshLaw,
): Promise<BrokenMeshCheck[]> {
  const broken: BrokenMeshCheck[] = [];
  for (const check of checks) {
    try {
      await runCheck(subject, check);
    } catch (error) {
      broken.push({ name: check.name, error });
    }
  }
  return broken;
}

/** Registers the law with `node:test`. */
export function describeMesh(subject: MeshSubject): void {
  describe(`the law of a mesh, held by the ${subject.name}`, () => {
    for (const check of meshLaw) test(check.name, () => runCheck(subject, check));
  });
}

/** One check on a mesh of its own, which is closed whatever comes of it. */
async function runCheck(subject: MeshSubject, check: MeshCheck): Promise<void> {
  const harness = await subject.open();
  try {
    const law = new LawRun(harness, subject.patienceMs);
    await law.patiently(check.name, check.run(law));
  } finally {
    await harness.close();
  }
}
