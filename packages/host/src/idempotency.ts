/**
 * Idempotency records in a store: on the durable engine, an answered call stays answered across a
 * restart.
 *
 * I1. One claim is won by one caller: records are created with `ifAbsent` and taken over with
 *     `ifMatch`.
 * I2. An answer is recorded before its caller hears it; a recorded answer is never run again.
 * I3. A claim without an answer holds as long as its handler runs, however long that is, and as
 *     long as the node does where the answer could not be recorded; that is tried again whenever
 *     somebody asks for it, and at each renewal. Where the store is this node's
 *     alone, one made by an earlier run (`boot`) is void: the handler that held it is gone. Where
 *     nodes share it, a claim is under a lease that its node renews, so that of a node that died is
 *     void when the lease is over. Whether it took effect is not known, so a handler that needs
 *     more than at-least-once makes its own write conditional.
 * I4. The first answer that was recorded stays.
 */

import { t } from "@banyan/kernel";
import type { Clock, IdSource, Static, Store } from "@banyan/kernel";
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
  /** Other nodes have the same store: for how long a claim holds unless it is renewed. */
  readonly lease?: { readonly clock: Clock; readonly leaseMs: number } | undefined;
}

export function createIdempotencyLedger(options: LedgerOptions): IdempotencyLedger {
  const { store, ids, boot, lease } = options;
  const running = new RunningClaims(store, lease);
  const claimMs = lease?.leaseMs ?? retentionMs;

  const claimed = (claim: IdempotencyClaim): IdempotencyRecord => ({
    state: "claimed",
    requestDigest: claim.requestDigest,
    token: ids.uuid(),
    boot,
  });

  const isHeld = (record: IdempotencyRecord): boolean =>
    record.boot === boot ? running.has(record.token) : lease !== undefined;

  return {
    async begin(claim): Promise<IdempotencyOutcome> {
      const key = keyOf(claim);
      for (let race = 0; race < racesMax; race += 1) {
        const entry = await store.getEntry(key);
        const verdict = entry === undefined ? "void" : judge(claim, entry.value, isHeld);
        if (entry !== undefined && verdict === "done") {
          return { kind: "done", response: entry.value.response };
        }
        if (verdict === "in-progress" && (await running.recordNow(entry?.value.token))) continue;
        if (verdict === "other-request" || verdict === "in-progress") return { kind: verdict };
        const record = claimed(claim);
        // Before the write: nobody must see the claim and think it void.
        running.add(key, record);
        const condition = entry === undefined ? { ifAbsent: true } : { ifMatch: entry.etag };
        try {
          await store.set(key, record, { ...condition, ttlMs: claimMs });
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
      await running.complete(keyOf(claim), record);
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

/** How often a lease is renewed before it is over. */
const renewals = 3;

/** How often an answer is written again that came between others' writes, such as a renewal. */
const writesMax = 10;

/** A claim, and its answer where that is still to be recorded. */
interface Running {
  readonly key: string;
  readonly record: IdempotencyRecord;
  readonly answer?: IdempotencyRecord;
}

/**
 * The claims whose handlers run in this very process, or whose answers could not be recorded; where
 * others see them, they are renewed.
 */
class RunningClaims {
  readonly #store: LedgerOptions["store"];
  readonly #lease: LedgerOptions["lease"];
  readonly #claims = new Map<string, Running>();
  #isWaiting = false;

  constructor(store: LedgerOptions["store"], lease: LedgerOptions["lease"]) {
    this.#store = store;
    this.#lease = lease;
  }

  has(token: string): boolean {
    return this.#claims.has(token);
  }

  add(key: string, record: IdempotencyRecord): void {
    this.#claims.set(record.token, { key, record });
    this.#renewLater();
  }

  delete(token: string): void {
    this.#claims.delete(token);
  }

  /** Records an answer. Where that fails the claim is kept, and the answer is recorded later. */
  async complete(key: string, answer: IdempotencyRecord): Promise<void> {
    // The handler took effect, so nobody may run it a second time.
    this.#claims.set(answer.token, { key, record: answer, answer });
    await this.#recordAnswer(key, answer);
  }

  /** Records the answer of a claim, where it has one that could not be recorded before. */
  async recordNow(token: string | undefined): Promise<boolean> {
    const { key, answer } = (token === undefined ? undefined : this.#claims.get(token)) ?? {};
    if (key === undefined || answer === undefined) return false;
    return this.#recordAnswer(key, answer).then(
      () => true,
      () => false,
    );
  }

  async #recordAnswer(key: string, answer: IdempotencyRecord): Promise<void> {
    for (let write = 1; ; write += 1) {
      const entry = await this.#store.getEntry(key);
      try {
        // I4
        if (entry?.value.state !== "answered") {
          const condition = entry === undefined ? { ifAbsent: true } : { ifMatch: entry.etag };
          await this.#store.set(key, answer, { ...condition, ttlMs: retentionMs });
        }
        this.#claims.delete(answer.token);
        return;
      } catch (error) {
        // Its own renewal may have come between.
        const isConflict = isBanyanError(error, "STATE_VERSION_CONFLICT");
        if (!isConflict || write === writesMax) throw error;
      }
    }
  }

  #renewLater(): void {
    const lease = this.#lease;
    if (lease === undefined || this.#isWaiting || this.#claims.size === 0) return;
    this.#isWaiting = true;
    lease.clock.setTimer(lease.leaseMs / renewals, () => {
      this.#isWaiting = false;
      for (const { key, record, answer } of this.#claims.values()) {
        const renewed =
          answer === undefined
            ? this.#renew(key, record, lease.leaseMs)
            : this.#recordAnswer(key, answer);
        // One that fails is tried again with the next.
        renewed.catch(() => undefined);
      }
      this.#renewLater();
    });
  }

  async #renew(key: string, record: IdempotencyRecord, ttlMs: number): Promise<void> {
    const entry = await this.#store.getEntry(key);
    if (entry?.value.token !== record.token || entry.value.state !== "claimed") return;
    if (!this.has(record.token)) return;
    await this.#store.set(key, record, { ifMatch: entry.etag, ttlMs });
  }
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
