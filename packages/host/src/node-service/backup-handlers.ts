/** A backup at an operator's word: one at a time. */

import type { ServiceParts } from "@banyan/kernel";
import { createBackup } from "../backup.ts";
import { hostErrors } from "../errors.ts";
import type { nodeContract } from "../node-contract.ts";
import type { NodeView } from "../node-view.ts";
import { audit } from "./state-handlers.ts";

type Handlers = ServiceParts<typeof nodeContract>["operations"]["backup"];

export function backupHandlers(node: NodeView): Handlers {
  let running: string | undefined;
  return {
    async create({ to }, call) {
      if (running !== undefined) {
        throw hostErrors.NODE_BACKUP_RUNNING(
          `The backup ${running} is being written; try again when it has ended.`,
          { retryAfterMs: 1000 },
        );
      }
      running = to;
      try {
        const { engines, id, version, clock, directory } = node;
        const manifest = await createBackup({
          to,
          directory,
          sources: [...(engines?.state.values() ?? []), ...(engines?.buses.values() ?? [])],
          node: id,
          version,
          clock,
          signal: call.signal,
        });
        audit(call, "backup written for an operator", { to, durationMs: manifest.durationMs });
        return { folder: to, manifest };
      } finally {
        running = undefined;
      }
    },
  };
}
