/** What a node would be, without starting it: for `config validate`, `doctor` and exports. */

import type { ConfigProblem, ConfigRow, Offence, ServiceDecision } from "@banyan/kernel/internal";
import type { NodeOptions } from "./options.ts";
import { resolveNodeOptions } from "./options.ts";
import { assertSetup, configRows, configSchema, setUpNode } from "./setup.ts";
import type { NodeSetup } from "./setup.ts";

export interface NodeCheck {
  /** What is wrong with the configuration; empty when all is well. */
  readonly problems: readonly ConfigProblem[];
  /** What is wrong with services, engines and their dependencies. */
  readonly offences: readonly Offence[];
  /** Every setting with value and origin, secrets hidden. */
  readonly rows: readonly ConfigRow[];
  readonly decisions: readonly ServiceDecision[];
  /** JSON Schema of `banyan.yaml`. */
  readonly jsonSchema: object;
  readonly setup: NodeSetup;
  /** @throws NODE_START_REFUSED as `openNode` would. */
  assert(): void;
}

/** Loads the enabled services, resolves and plans; opens and starts nothing. */
export async function checkNode(options: NodeOptions): Promise<NodeCheck> {
  const setup = await setUpNode(resolveNodeOptions(options));
  return {
    problems: setup.problems,
    offences: setup.offences,
    rows: configRows(setup),
    decisions: setup.decisions,
    jsonSchema: configSchema(setup),
    setup,
    assert: () => assertSetup(setup),
  };
}
