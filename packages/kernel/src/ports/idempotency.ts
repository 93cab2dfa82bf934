/** Records what a call with an idempotency key answered, so that asking again is safe. */

export interface IdempotencyClaim {
  /** `operation` + principal + key: the scope in which a key is unique. */
  readonly scope: string;
  /** Digest of the request: the same key with another request is a mistake, not a repeat. */
  readonly requestDigest: string;
}

export type IdempotencyOutcome =
  /** Nobody asked before: run the handler, then `complete` or `abandon`. */
  | { readonly kind: "new"; readonly token: string }
  | { readonly kind: "done"; readonly response: unknown }
  | { readonly kind: "in-progress" }
  | { readonly kind: "other-request" };

export interface IdempotencyLedger {
  begin(claim: IdempotencyClaim): Promise<IdempotencyOutcome>;
  /** Records the answer; resolves when it is safe. */
  complete(claim: IdempotencyClaim, token: string, response: unknown): Promise<void>;
  /** The handler failed: the key may be used again. */
  abandon(claim: IdempotencyClaim, token: string): Promise<void>;
}
