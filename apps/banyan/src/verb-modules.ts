/** The code of each verb, loaded when it runs: a verb must not pay for another's imports. */

import type { Command } from "./command.ts";

export interface VerbModule {
  /** Resolves with the exit code; 0 when it resolves with nothing. */
  readonly run: (command: Command) => Promise<number | void>;
}

const modules: Readonly<Record<string, () => Promise<VerbModule>>> = {
  up: () => import("./verbs/up.ts"),
  services: () => import("./verbs/services.ts"),
  describe: () => import("./verbs/describe.ts"),
  call: () => import("./verbs/call.ts"),
  "mesh endpoints": () => import("./verbs/mesh-endpoints.ts"),
  "mesh mappings": () => import("./verbs/mesh-mappings.ts"),
  "mesh place": () => import("./verbs/mesh-place.ts"),
  "mesh drain": () => import("./verbs/mesh-drain.ts"),
  "state stores": () => import("./verbs/state-stores.ts"),
  "state scopes": () => import("./verbs/state-scopes.ts"),
  "state get": () => import("./verbs/state-get.ts"),
  "state set": () => import("./verbs/state-set.ts"),
  "state delete": () => import("./verbs/state-delete.ts"),
  "state list": () => import("./verbs/state-list.ts"),
  "events topics": () => import("./verbs/events-topics.ts"),
  "events buffer": () => import("./verbs/events-buffer.ts"),
  "events publish": () => import("./verbs/events-publish.ts"),
  "events tail": () => import("./verbs/events-tail.ts"),
  "events dead-letters list": () => import("./verbs/dead-letters-list.ts"),
  "events dead-letters show": () => import("./verbs/dead-letters-show.ts"),
  "events dead-letters redrive": () => import("./verbs/dead-letters-redrive.ts"),
  "events dead-letters discard": () => import("./verbs/dead-letters-discard.ts"),
  "backup create": () => import("./verbs/backup-create.ts"),
  "backup verify": () => import("./verbs/backup-verify.ts"),
  "backup restore": () => import("./verbs/backup-restore.ts"),
  "trace list": () => import("./verbs/trace-list.ts"),
  "trace show": () => import("./verbs/trace-show.ts"),
  "log level": () => import("./verbs/log-level.ts"),
  telemetry: () => import("./verbs/telemetry.ts"),
  "config show": () => import("./verbs/config-show.ts"),
  "config validate": () => import("./verbs/config-validate.ts"),
  "config docs": () => import("./verbs/config-docs.ts"),
  "contract export": () => import("./verbs/contract-export.ts"),
  "new service": () => import("./verbs/new-service.ts"),
  doctor: () => import("./verbs/doctor.ts"),
  readiness: () => import("./verbs/readiness.ts"),
  completion: () => import("./verbs/completion.ts"),
  "complete-values": () => import("./verbs/complete-values.ts"),
  help: () => import("./verbs/help.ts"),
};

/** @throws a plain error for a verb of the table that has no code: a fault of this package. */
export function loadVerb(name: string): Promise<VerbModule> {
  const load = modules[name];
  if (load === undefined) throw new Error(`The verb "${name}" has no module.`);
  return load();
}
