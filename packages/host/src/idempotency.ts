/**
 * Idempotency records in a store: on the durable engine, an answered call stays answered across a
 * restart.
 *
 * I1. One claim is won by one caller: records are created with `ifAbsent` and taken over with
 *     `ifMatch`.
 * I2. An answer is recorded before its caller hears it; a recorded answer is never run again.
 * I3. A claim without an answer holds as long as its handler runs, however long that is, and as
 *     long as the node does where the answer could not be recorded. One made
 *     by an earlier run of this node (`boot`) is void: the handler that held it is gone. Whether it
 *     took effect is not known, so a handler that needs more than at-least-once makes its own write
 *     conditional.
 * I4. The first answer that was recorded stays.
 */

import { t } from "@banyan/kernel";
import type { IdSource, Static, Store } from "@banyan/kernel";
import { isBanyanError } from "@banyan/kernel";
import type {
  IdempotencyClaim,
  IdempotencyLedger,
  IdempotencyOutcome,
} from "@banyan/kernel/internal";
import { createHash } from "node:crypto";

/** How long an answer is kept: as long as a client may reasonably retry. */
export const retentionMs = 24 * 3_600_000;

/** How often a lost race is looked at again before the claim counts as in progress. */
const racesMax = 3;

export const idempotencyRecord = t.Object({
  state: t.Enum(["claimed", "answered"]),
  requestDigest: t.String(),
  token: t.String(),
  /** The run of the node that made the claim. */
  boot: t.String(),
  response: t.Optional(t.Unknown()),
});
export type IdempotencyRecord = Static<typeof idempotencyRecord>;

export interface LedgerOptions {
  readonly store: Store<IdempotencyRecord>;
  readonly ids: IdSource;
  /** A fresh id for every start of the node. */
  readonly boot: string;
}

export function createIdempotencyLedger(options: LedgerOptions): IdempotencyLedger {
  const { store, ids, boot } = options;
  /** Tokens of the claims whose handlers run in this very process. */
  const running = new Set<string>();

  const claimed = (claim: IdempotencyClaim): IdempotencyRecord => ({
    state: "claimed",
    requestDigest: claim.requestDigest,
    token: ids.uuid(),
    boot,
  });

  const isHeld = (record: IdempotencyRecord): boolean =>
    record.boot === boot && running.has(record.token);

  return {
    async begin(claim): Promise<IdempotencyOutcome> {
      const key = keyOf(claim);
      for (let race = 0; race < racesMax; race += 1) {
        const entry = await store.getEntry(key);
        const verdict = entry === undefined ? "void" : judge(claim, entry.value, isHeld);
        if (entry !== undefined && verdict === "done") {
          return { kind: "done", response: entry.value.response };
        }
        if (verdict === "other-request" || verdict === "in-progress") return { kind: verdict };
        const record = claimed(claim);
        // Before the write: nobody must see the claim and think it void.
        running.add(record.token);
        const condition = entry === undefined ? { ifAbsent: true } : { ifMatch: entry.etag };
        try {
          await store.set(key, record, { ...condition, ttlMs: retentionMs });
          return { kind: "new", token: record.token };
        } catch (error) {
          running.delete(record.token);
          // Somebody else was faster: look at what they wrote.
          if (!isBanyanError(error, "STATE_VERSION_CONFLICT")) throw error;
        }
      }
      return { kind: "in-progress" };
    },

    async complete(claim, token, response) {
      const answered = { ...claimed(claim), token, state: "answered" as const };
      const record = response === undefined ? answered : { ...answered, response };
      const entry = await store.getEntry(keyOf(claim));
      // While its handler runs nobody takes a claim over; I4 holds should that ever change.
      if (entry?.value.state !== "answered") {
        const condition = entry === undefined ? { ifAbsent: true } : { ifMatch: entry.etag };
        await store.set(keyOf(claim), record, { ...condition, ttlMs: retentionMs });
      }
      // Not when that failed: the handler took effect, so nobody may run it a second time.
      running.delete(token);
    },

    async abandon(claim, token) {
      try {
        const entry = await store.getEntry(keyOf(claim));
        if (entry?.value.token !== token) return;
        await store.delete(keyOf(claim), { ifMatch: entry.etag });
      } catch (error) {
        // Taken over meanwhile: then it is not ours to free.
        if (!isBanyanError(error, "STATE_VERSION_CONFLICT")) throw error;
      } finally {
        running.delete(token);
      }
    },
  };
}

/** What a record says to who asks. */
function judge(
  { requestDigest }: IdempotencyClaim,
  record: IdempotencyRecord,
  isHeld: (record: IdempotencyRecord) => boolean,
): "other-request" | "done" | "in-progress" | "void" {
  if (record.requestDigest !== requestDigest) return "other-request";
  if (record.state === "answered") return "done";
  return isHeld(record) ? "in-progress" : "void";
}

/** Scopes hold caller-made text of any length; a digest is a valid key whatever is in them. */
function keyOf(claim: IdempotencyClaim): string {
  return createHash("sha256").update(claim.scope).digest("base64url");
}
