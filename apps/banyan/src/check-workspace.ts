/** Checks what a start here would do, without doing it; everything wrong in one report. */

import { checkNode } from "@banyan/host";
import type { NodeCheck } from "@banyan/host";
import type { BanyanError } from "@banyan/kernel";
import type { Offence } from "@banyan/kernel/internal";
import type { Command } from "./command.ts";
import { refusal } from "./refusal.ts";
import { openWorkspace } from "./workspace.ts";
import type { Workspace } from "./workspace.ts";

export interface CheckedWorkspace {
  readonly workspace: Workspace;
  readonly check: NodeCheck;
  /** Everything that is wrong, as the error a start would end with; `undefined`: nothing is. */
  readonly report: BanyanError | undefined;
}

export async function checkWorkspace(command: Command): Promise<CheckedWorkspace> {
  const workspace = await openWorkspace(command);
  const check = await checkNode(workspace.options);
  const offences: Offence[] = [...workspace.offences, ...check.offences];
  return { workspace, check, report: refusal(check.problems, offences) };
}
