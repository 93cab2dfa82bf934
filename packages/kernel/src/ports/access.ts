/** Who calls, and whether they may: the two ports every door of a node goes through. */

import type { Access } from "../contract/operation.ts";

/** On whose behalf a call runs. It travels with the call, also across nodes. */
export type Principal =
  | { readonly kind: "anonymous" }
  /** Somebody who signed in. */
  | {
      readonly kind: "account";
      readonly id: string;
      readonly sessionId?: string;
      readonly permissions?: readonly string[];
    }
  /** The node's operator: whoever can read the admin token in the data directory. */
  | { readonly kind: "operator" }
  /** Work a service started itself: schedules, event handlers, background loops. */
  | { readonly kind: "service"; readonly id: string };

export const anonymous: Principal = Object.freeze({ kind: "anonymous" });
export const operator: Principal = Object.freeze({ kind: "operator" });

/** A principal as one word, for logs and idempotency records: `account:0197…`. */
export function principalKey(principal: Principal): string {
  return "id" in principal ? `${principal.kind}:${principal.id}` : principal.kind;
}

/** What a door received and cannot judge itself. */
export interface Credentials {
  /** The `Authorization` header, or the frame's equal. */
  readonly authorization: string;
}

/** Turns a credential into a principal. @throws CALL_UNAUTHENTICATED when it is not valid. */
export interface Authenticator {
  authenticate(credentials: Credentials): Principal | Promise<Principal>;
}

/** What is asked of an authorizer. */
export interface AccessQuestion {
  readonly principal: Principal;
  readonly access: Access;
  /** `greeter.greet`. */
  readonly operation: string;
  readonly request: unknown;
}

/** The answer: an expected ending either way, so a value, not an exception. */
export type AccessDecision =
  | { readonly kind: "allowed" }
  | { readonly kind: "unauthenticated"; readonly reason: string }
  | { readonly kind: "denied"; readonly reason: string };

/**
 * Decides at the outer doors. Calls between services on a declared edge are not asked: the edge
 * was checked at start.
 */
export interface Authorizer {
  decide(question: AccessQuestion): AccessDecision | Promise<AccessDecision>;
}
