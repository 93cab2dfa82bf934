/** What an operation may declare. The contract is data: nothing here runs. */

import type { Schema } from "../schema/standard.ts";

/** One way in: a permission, bound to what the request names. */
export interface AccessRule {
  /** Permission in dotted form, `account.read`. Left out: any signed-in caller. */
  readonly permission?: string;
  /** JSON pointer to the id of the resource in the request, `/accountId`. */
  readonly resource?: string;
  /** JSON pointer to the owner's id in the request: the owner passes without the permission. */
  readonly owner?: string;
  /** Session states that must hold, service → state: `{ "game-session": "in_game" }`. */
  readonly states?: Readonly<Record<string, string>>;
}

/**
 * Who may call.
 * - `"internal"` (the default): services on a declared edge, and the operator.
 * - `"anonymous"`: everybody who reaches the door.
 * - `"authenticated"`: everybody who is signed in.
 * - a rule, or several: any one of them is enough.
 *
 * Asked at the outer doors only. A service that declared the edge (`uses`, `optional`) is trusted:
 * its calls are not asked again, and they keep the principal of the call they belong to. So the
 * handler of an `authenticated` operation may see an anonymous principal, when a service that is
 * open to everybody calls it; what depends on who that is, it looks up in `call.principal`.
 */
export type Access =
  | "internal"
  | "anonymous"
  | "authenticated"
  | AccessRule
  | readonly AccessRule[];

/** For what is not a JSON POST: redirects, key sets, links in mails, uploads. */
export interface HttpExchange {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Absolute path; `:name` segments are handed over as parameters. */
  readonly path: `/${string}`;
  /** The handler gets the web-standard `Request` and answers a `Response`. */
  readonly exchange: "raw";
}

export interface OperationSpec {
  /** One line for people. */
  readonly summary: string;
  readonly description?: string;
  /** Left out: internal. */
  readonly access?: Access;
  /** Left out: the operation takes no fields. */
  readonly request?: Schema;
  /** Left out: it answers nothing (HTTP 204). */
  readonly response?: Schema;
  /** Answers a sequence of these instead: server-sent events over HTTP, frames over the mesh. */
  readonly stream?: Schema;
  /**
   * Frames of the stream that the handler may be asked for before the consumer asks, where they are
   * in two nodes, 0 … 65 535; a frame made in vain must harm nobody. Left out: what the caller's
   * node says, `mesh.streamAhead`, which is 0 as it comes. With 0 each frame is a round trip; with
   * 64 small ones are 40 times as fast.
   */
  readonly streamAhead?: number;
  /** Serves a raw HTTP exchange; excludes `request`, `response` and `stream`. */
  readonly http?: HttpExchange;
  /** Calling it twice is the same as calling it once; only then may the mesh retry it. */
  readonly idempotent?: boolean;
  /** Milliseconds a call may take when the caller sets no deadline, 1 … 3 600 000. */
  readonly deadlineMs?: number;
  /** Bytes of request body over a wire. */
  readonly payloadBytesMax?: number;
  /** Calls of this operation at once in one node. */
  readonly concurrencyMax?: number;
  /** Codes of the contract's own `errors` that it answers. */
  readonly errors?: readonly string[];
  readonly deprecated?: boolean;
}

/** Operations by name; a group is a nested tree and becomes path segments. */
export interface OperationTree {
  readonly [name: string]: OperationSpec | OperationTree;
}

/** Tells an operation from a group: only an operation has a one-line summary. */
export function isOperationSpec(node: OperationSpec | OperationTree): node is OperationSpec {
  return typeof node["summary"] === "string";
}

/** An operation with where it stands in its contract. */
export interface NamedOperation {
  /** Path within the contract: `["admin", "reset"]`. */
  readonly segments: readonly string[];
  /** Dotted within the contract: `admin.reset`. */
  readonly name: string;
  readonly spec: OperationSpec;
}

/** The operations of a tree, groups flattened, in the order of declaration. */
export function listOperations(
  tree: OperationTree,
  above: readonly string[] = [],
): NamedOperation[] {
  return Object.entries(tree).flatMap(([key, node]) => {
    const segments = [...above, key];
    // Plain JavaScript may put anything here; the contract's check reports it.
    if (typeof node !== "object" || node === null) return [];
    return isOperationSpec(node)
      ? [{ segments, name: segments.join("."), spec: node }]
      : listOperations(node, segments);
  });
}

/** Dotted names of what is neither an operation nor a group of some. */
export function listMalformed(tree: OperationTree, above: readonly string[] = []): string[] {
  return Object.entries(tree).flatMap(([key, node]) => {
    const segments = [...above, key];
    if (typeof node !== "object" || node === null) return [segments.join(".")];
    if (isOperationSpec(node)) return [];
    // An operation without its summary looks like a group whose members are no operations.
    const members = Object.values(node);
    const broken = members.length === 0 || members.some((member) => !isGroupMember(member));
    return broken ? [segments.join(".")] : listMalformed(node, segments);
  });
}

function isGroupMember(member: OperationSpec | OperationTree): boolean {
  if (typeof member !== "object" || member === null) return false;
  if (isOperationSpec(member)) return true;
  const inner = Object.values(member);
  return inner.length > 0 && inner.every((each) => typeof each === "object" && each !== null);
}
