/** Options of the in-process mesh. The only place with their defaults. */

import { nearest } from "@banyan/kernel/internal";
import { meshErrors } from "./errors.ts";

export interface LocalMeshOptions {
  /**
   * What happens to requests and answers between services of one process.
   * - `full` (default): validated and copied, as on a wire, so a bug shows where it is made.
   * - `edge`: copied only. Outer doors still validate; callers inside are held to the types by the
   *   compiler. Worth it only for large messages with costly rules (patterns, formats).
   */
  readonly validation?: "full" | "edge";
}

export interface ResolvedLocalMeshOptions {
  readonly validation: "full" | "edge";
}

/** @throws MESH_OPTIONS_INVALID */
export function resolveLocalMeshOptions(options: LocalMeshOptions = {}): ResolvedLocalMeshOptions {
  const known = ["validation"];
  for (const key of Object.keys(options)) {
    if (known.includes(key)) continue;
    const meant = nearest(key, known);
    const fix = meant === undefined ? `Known: ${known.join(", ")}.` : `Did you mean "${meant}"?`;
    throw meshErrors.MESH_OPTIONS_INVALID(`The mesh has no option "${key}". ${fix}`);
  }
  const { validation = "full" } = options;
  if (validation !== "full" && validation !== "edge") {
    throw meshErrors.MESH_OPTIONS_INVALID(
      `The mesh's validation is "${String(validation)}"; say "full" or "edge".`,
    );
  }
  return Object.freeze({ validation });
}
