/** What can be wrong with a backup, or with the place it is to be restored to. */

import { defineErrors } from "@banyan/kernel";

export const backupErrors = defineErrors({
  BACKUP_NOT_FOUND: {
    kind: "not_found",
    summary:
      "The folder is no backup: it has no manifest.json, which a backup gets last. Name another, or make one.",
  },
  BACKUP_NEWER: {
    kind: "failed_precondition",
    summary:
      "The backup was written by a newer version. Use that version, or newer, to restore it.",
  },
  BACKUP_UNSOUND: {
    kind: "data_loss",
    summary:
      "The backup is not what was written: a file is missing, changed or damaged; each is named. Use another backup.",
  },
  RESTORE_TARGET_HOLDS_DATA: {
    kind: "already_exists",
    summary:
      "The data directory holds data already. Restore into another one, or with --force, which keeps the old files aside.",
  },
  RESTORE_FAILED: {
    kind: "failed_precondition",
    summary:
      "The backup could not be copied; the data directory is as it was. The message says why.",
  },
});

/** The words of whatever was thrown, without its class. */
export function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
