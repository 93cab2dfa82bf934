/** A typed client over plain HTTP: what any program outside of the node can do with a contract. */

import { BanyanError, defineErrors, errorKinds } from "@banyan/kernel";
import type { AnyContract, CallOptions, Client, ErrorKind } from "@banyan/kernel";

/** Where a node is, and how to show that one is its operator. */
export interface NodeAddress {
  /** Without a slash at the end. */
  readonly url: string;
  /** The admin token, for operations that are internal. */
  readonly token?: string | undefined;
}

const errors = defineErrors({
  DESK_UNREACHABLE: {
    kind: "unavailable",
    summary: "No answer came; whether the call took effect is not known.",
  },
});

/**
 * One method for each operation of the contract (no groups, no streams).
 * @throws what the service answers, and DESK_UNREACHABLE
 */
export function httpClient<C extends AnyContract>(contract: C, node: NodeAddress): Client<C> {
  const methods = Object.keys(contract.spec.operations ?? {}).map((name) => {
    const path = `${node.url}/${contract.name}/${name}`;
    const call = (request: unknown, options?: CallOptions): Promise<unknown> =>
      post({ path, token: node.token, request }, options);
    return [name, call] as const; // a pair, not a list of either
  });
  // Made from the contract's own operations, and what a node answers fits the contract.
  return Object.fromEntries(methods) as Client<C>;
}

interface Post {
  readonly path: string;
  readonly token: string | undefined;
  readonly request: unknown;
}

async function post({ path, token, request }: Post, options: CallOptions = {}): Promise<unknown> {
  const { idempotencyKey, timeoutMs = 30_000, signal } = options;
  const patience = AbortSignal.timeout(timeoutMs + 1000);
  const headers = new Headers({ "content-type": "application/json" });
  headers.set("banyan-timeout-ms", String(timeoutMs));
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (idempotencyKey !== undefined) headers.set("idempotency-key", idempotencyKey);
  let status: number;
  let text: string;
  try {
    const response = await fetch(path, {
      method: "POST",
      headers,
      body: JSON.stringify(request ?? {}),
      signal: signal === undefined ? patience : AbortSignal.any([patience, signal]),
    });
    status = response.status;
    text = await response.text();
  } catch (cause) {
    throw errors.DESK_UNREACHABLE(`No answer came from ${path}.`, { cause });
  }
  const answer: unknown = text === "" ? undefined : JSON.parse(text);
  if (status < 300) return answer;
  throw problemError(answer, `${path} answered ${status}.`);
}

/** A problem document (RFC 9457) back to the error that it was. */
function problemError(problem: unknown, otherwise: string): BanyanError {
  const fields = new Map<string, unknown>(Object.entries(problem ?? {}));
  const [kind, code, detail] = ["kind", "code", "detail"].map((key) => fields.get(key));
  return new BanyanError({
    kind: isKind(kind) ? kind : "unknown",
    code: typeof code === "string" ? code : "UNKNOWN",
    message: typeof detail === "string" ? detail : otherwise,
  });
}

function isKind(value: unknown): value is ErrorKind {
  return typeof value === "string" && Object.hasOwn(errorKinds, value);
}
