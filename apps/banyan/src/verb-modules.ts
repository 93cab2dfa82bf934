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
  "config show": () => import("./verbs/config-show.ts"),
  "config validate": () => import("./verbs/config-validate.ts"),
  "config docs": () => import("./verbs/config-docs.ts"),
  "contract export": () => import("./verbs/contract-export.ts"),
  "new service": () => import("./verbs/new-service.ts"),
  doctor: () => import("./verbs/doctor.ts"),
  readiness: () => import("./verbs/readiness.ts"),
  help: () => import("./verbs/help.ts"),
};

/** @throws a plain error for a verb of the table that has no code: a fault of this package. */
export function loadVerb(name: string): Promise<VerbModule> {
  const load = modules[name];
  if (load === undefined) throw new Error(`The verb "${name}" has no module.`);
  return load();
}
