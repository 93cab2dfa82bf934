/** The dead letters of all buses of a node, as an operator works through them. */

import type { Call, Client, ServiceParts } from "@banyan/kernel";
import { kernelErrors, nearest } from "@banyan/kernel/internal";
import type { Bus, DeadLetter } from "@banyan/messaging";
import { hostErrors } from "../errors.ts";
import type { nodeContract } from "../node-contract.ts";
import type { NodeView } from "../node-view.ts";
import { headerTexts } from "./event-tail.ts";
import { audit } from "./state-handlers.ts";

type Handlers = ServiceParts<typeof nodeContract>["operations"]["events"]["deadLetters"];
type DeadLetterClient = Client<typeof nodeContract>["events"]["deadLetters"];
type LetterRow = Awaited<ReturnType<DeadLetterClient["list"]>>["letters"][number];
type Chosen = Parameters<DeadLetterClient["redrive"]>[0];

/** Letters that one step of a long redrive looks at: each may hold a body of a megabyte. */
const stepMax = 100;
const limitDefault = 10_000;

export function deadLetterHandlers(node: NodeView): Handlers {
  const act = (verb: "redrive" | "discard", request: Chosen, call: Call): Promise<Handled> =>
    handleChosen(node, { verb, request, call });
  return {
    list: ({ limit = 100, ...query }, call) => listLetters(node, { limit, ...query }, call),
    async get({ id }) {
      for (const [name, bus] of busesOf(node)) {
        const letter = await bus.deadLetters.get(id);
        if (letter === undefined) continue;
        const { message, error } = letter;
        return {
          letter: letterRow(name, letter),
          headers: headerTexts(message.headers),
          body: message.body,
          ...(error.details === undefined ? {} : { errorDetails: error.details }),
          ...(error.stack === undefined ? {} : { errorStack: error.stack }),
        };
      }
      throw unknownLetter(id);
    },
    async redrive(request, call) {
      const { count, left, more } = await act("redrive", request, call);
      audit(call, "dead letters redriven by an operator", { ...auditOf(request), count, left });
      return { redriven: count, left, more };
    },
    async discard(request, call) {
      const { count, left, more } = await act("discard", request, call);
      audit(call, "dead letters discarded by an operator", { ...auditOf(request), count, left });
      return { discarded: count, left, more };
    },
  };
}

function busesOf({ engines }: NodeView): readonly (readonly [name: string, bus: Bus])[] {
  return [...(engines?.buses ?? [])];
}

interface Query {
  readonly subscription?: string | undefined;
  readonly after?: string | undefined;
  readonly limit: number;
}

/** Ids ascend with time on every bus, so the pages of all of them merge into one. */
async function listLetters(
  node: NodeView,
  query: Query,
  call: Call,
): Promise<{ letters: LetterRow[]; next?: string }> {
  const pages = await Promise.all(
    busesOf(node).map(async ([name, bus]) => {
      const page = await bus.deadLetters.list({ ...query, signal: call.signal });
      return { rows: page.letters.map((letter) => letterRow(name, letter)), next: page.next };
    }),
  );
  const rows = pages.flatMap((page) => page.rows).sort((a, b) => (a.id < b.id ? -1 : 1));
  if (rows.length === 0 && query.subscription !== undefined) {
    await assertSubscription(node, query.subscription);
  }
  const letters = rows.slice(0, query.limit);
  const isLast = rows.length <= query.limit && pages.every(({ next }) => next === undefined);
  const last = letters.at(-1)?.id;
  return { letters, ...(isLast || last === undefined ? {} : { next: last }) };
}

function letterRow(bus: string, letter: DeadLetter): LetterRow {
  const { id, subscription, delivery, message, attempts, reason, error, deadAtMs } = letter;
  return {
    id,
    subscription,
    delivery,
    bus,
    topic: message.topic,
    eventId: message.id,
    timestamp: new Date(message.timestampMs).toISOString(),
    attempts,
    reason,
    error: { kind: error.kind, code: error.code, message: error.message },
    deadAt: new Date(deadAtMs).toISOString(),
  };
}

interface Handled {
  readonly count: number;
  readonly left: number;
  readonly more: boolean;
}

interface Task {
  readonly verb: "redrive" | "discard";
  readonly request: Chosen;
  readonly call: Call;
}

async function handleChosen(node: NodeView, task: Task): Promise<Handled> {
  const { verb, request } = task;
  const { ids, subscription, all } = request;
  if (ids !== undefined && subscription === undefined && all === undefined) {
    const unique = [...new Set(ids)];
    let count = 0;
    for (const [, bus] of busesOf(node)) count += await bus.deadLetters[verb](unique);
    if (count === 0) await assertOneLetter(node, unique);
    return { count, left: unique.length - count, more: false };
  }
  if (ids === undefined && subscription !== undefined && all === true) {
    return handleAll(node, subscription, task);
  }
  throw kernelErrors.REQUEST_INVALID(
    "Say which dead letters are meant: either ids, or a subscription with all: true.",
  );
}

/** Of several the answer counts those that stay; of one alone it says why. */
async function assertOneLetter(node: NodeView, ids: readonly string[]): Promise<void> {
  const [id, ...others] = ids;
  if (id === undefined || others.length > 0) return;
  const found = await Promise.all(busesOf(node).map(([, bus]) => bus.deadLetters.get(id)));
  if (found.every((letter) => letter === undefined)) throw unknownLetter(id);
}

function unknownLetter(id: string): Error {
  return hostErrors.NODE_DEAD_LETTER_UNKNOWN(
    `There is no dead letter "${id}"; it was redriven or discarded, or never was one.`,
    { details: { id } },
  );
}

/** Those that were dead when it began: one that dies again meanwhile is for the next time. */
async function handleAll(node: NodeView, subscription: string, task: Task): Promise<Handled> {
  const { verb, request, call } = task;
  const { limit = limitDefault } = request;
  const beganMs = node.clock.nowMs();
  let seen = 0;
  let count = 0;
  for (const [, bus] of busesOf(node)) {
    let after: string | undefined;
    do {
      if (seen === limit) return { count, left: seen - count, more: true };
      const page = await bus.deadLetters.list({
        subscription,
        after,
        limit: Math.min(stepMax, limit - seen),
        signal: call.signal,
      });
      const ids = page.letters.filter(({ deadAtMs }) => deadAtMs <= beganMs).map(({ id }) => id);
      if (ids.length > 0) count += await bus.deadLetters[verb](ids);
      seen += ids.length;
      after = ids.length < page.letters.length ? undefined : page.next;
      call.signal.throwIfAborted();
    } while (after !== undefined);
  }
  if (seen === 0) await assertSubscription(node, subscription);
  return { count, left: seen - count, more: false };
}

/** A misspelt name would otherwise look like a subscription without dead letters. */
async function assertSubscription(node: NodeView, subscription: string): Promise<void> {
  const statuses = await Promise.all(busesOf(node).map(([, bus]) => bus.status()));
  const known = [
    ...statuses.flatMap(({ subscriptions }) => subscriptions.map(({ name }) => name)),
    ...node.instances.flatMap(({ contract }) =>
      Object.keys(contract.spec.subscriptions ?? {}).map((name) => `${contract.name}.${name}`),
    ),
  ];
  if (known.includes(subscription)) return;
  const meant = nearest(subscription, known);
  throw hostErrors.NODE_SUBSCRIPTION_UNKNOWN(
    `There is no subscription "${subscription}" and no dead letter of one of that name${
      meant === undefined ? "." : `; did you mean "${meant}"?`
    }`,
    { details: { subscription } },
  );
}

function auditOf({ ids, subscription }: Chosen): Readonly<Record<string, unknown>> {
  return ids === undefined ? { subscription } : { ids };
}
