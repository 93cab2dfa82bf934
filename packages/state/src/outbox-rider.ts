/**
 * The rider that leaves rows in an outbox, for every engine that has one.
 *
 * It is told its end once; `onCommitted` is heard after a commit and at no other end.
 */

import type { CommitRider, OutboxHold } from "./engine.ts";
import { stateErrors } from "./errors.ts";

/** What a transaction leaves in the outbox. */
export class OutboxLoad {
  readonly loads: readonly string[];
  readonly hold: OutboxHold;

  constructor(loads: readonly string[], hold: OutboxHold) {
    this.loads = loads;
    this.hold = hold;
  }
}

export function createOutboxRider(
  medium: object,
  load: OutboxLoad,
  onCommitted: (() => void) | undefined,
): CommitRider {
  return Object.freeze({
    medium,
    load,
    committed: () => onCommitted?.(),
    dropped: () => undefined,
  });
}

/**
 * What the riders of a transaction leave behind, in their order.
 * @throws STATE_RIDER_FOREIGN where one is of another medium, or carries what is not an outbox's
 */
export function outboxLoadsOf(
  riders: readonly CommitRider[],
  { engine, medium }: { readonly engine: string; readonly medium: object },
): readonly OutboxLoad[] {
  const found: OutboxLoad[] = [];
  for (const rider of riders) {
    const { load } = rider;
    const isOwn = rider.medium === medium;
    if (isOwn && load instanceof OutboxLoad) found.push(load);
    else if (!isOwn || load !== undefined) throw foreignRiderError(engine);
  }
  return found;
}

function foreignRiderError(engine: string): Error {
  return stateErrors.STATE_RIDER_FOREIGN(
    `What should be committed with a transaction of the ${engine} engine belongs to another file ` +
      `or process; publish through a bus or an outbox that shares it.`,
  );
}
