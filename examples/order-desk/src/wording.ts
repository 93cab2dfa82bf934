/** Words that the three contracts share: ids, counts, pages, and the id of a request. */

import { createHash } from "node:crypto";
import { t } from "@banyan/kernel";
import type { Call, IdSource, Page } from "@banyan/kernel";

export const itemId = t.String({ pattern: "^[a-z0-9][a-z0-9-]{0,63}$", description: "tea-pot" });
export const itemCount = t.Integer({ minimum: 1, maximum: 1_000_000 });
export const orderId = t.String({ minLength: 1, maxLength: 64 });

/** What every list takes, and how its answer says that there is more. */
export const pageRequest = t.Object({
  after: t.Optional(t.String({ description: "The next of the page before." })),
  limit: t.Optional(t.Integer({ minimum: 1, maximum: 1000, description: "Default 100." })),
});
export const next = t.Optional(t.String({ description: "Left out on the last page." }));

/** A page of a store as a list answers it: the values alone. */
export function listed<V>({ entries, next: last }: Page<V>): { list: V[]; next?: string } {
  const list = entries.map(({ value }) => value);
  return last === undefined ? { list } : { list, next: last };
}

/** Everything that a list answers, page by page. */
export async function* everyPage<V>(
  ask: (page: { limit: number; after?: string }) => Promise<{ list: V[]; next?: string }>,
): AsyncGenerator<V> {
  for (let page: { limit: number; after?: string } | undefined = { limit: 1000 }; page;) {
    const { list, next: after } = await ask(page);
    yield* list;
    page = after === undefined ? undefined : { limit: 1000, after };
  }
}

/**
 * One id for one request: a repeat with the same idempotency key gets the same one, also after the
 * answer was lost with the process. A record under this id is what makes the repeat safe.
 */
export function requestId(call: Call, ids: IdSource): string {
  const { idempotencyKey, operation, principal } = call;
  if (idempotencyKey === undefined) return ids.uuid();
  const who = "id" in principal ? `${principal.kind}:${principal.id}` : principal.kind;
  const text = JSON.stringify([operation, who, idempotencyKey]);
  return createHash("sha256").update(text).digest("base64url");
}
