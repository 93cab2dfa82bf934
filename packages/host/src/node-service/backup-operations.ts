/** How an operator has a running node copied: the node contract's group `backup`. */

import { t } from "@banyan/kernel";

/** What lies beside the copied files as `manifest.json`. */
export const backupManifest = t.Object({
  format: t.Literal(1),
  product: t.Literal("banyan"),
  version: t.String({ description: "Of the product that wrote it." }),
  node: t.Optional(t.String({ description: "Id of the node that was copied." })),
  createdAt: t.String({ format: "date-time", description: "When the copy was begun." }),
  durationMs: t.Integer(),
  files: t.Array(
    t.Object({
      path: t.String({ description: "Below the folder of the manifest, with slashes." }),
      bytes: t.Integer(),
      sha256: t.String({ pattern: "^[0-9a-f]{64}$" }),
    }),
  ),
  notIncluded: t.Optional(
    t.Array(t.String(), {
      description: "Durable engines that keep nothing in files of the node: copy them themselves.",
    }),
  ),
});

/** A copy of a large file takes its time; this is the longest deadline there is. */
const deadlineMs = 3_600_000;

export const backupOperations = {
  create: {
    summary: "Write a consistent, checksummed copy of everything this node keeps into a folder.",
    description: "The node works on meanwhile. The folder is on the node's own machine.",
    deadlineMs,
    request: t.Object({
      to: t.String({
        minLength: 1,
        description: "Absolute path of a folder that is empty or does not exist yet.",
      }),
    }),
    response: t.Object({ folder: t.String(), manifest: backupManifest }),
  },
} as const;
