/**
 * Extension points: how a lower layer asks a higher one without knowing it.
 *
 * An implementation is run through the pipeline like an operation (`diary.extensions.names`), so it
 * is validated, copied, bounded by a deadline and measured.
 *
 * I1. A `provider` point answers with every implementation's contribution, in the order of the
 *     service names, or fails: half an answer is not an answer.
 * I2. A `listener` is told after the event is safe in the bus; its failure is logged and never
 *     fails the publisher. Whoever must not miss an event subscribes to it instead.
 */

import { t } from "@banyan/kernel";
import type { AnyContract, Contribution, ExtensionSpec, Log } from "@banyan/kernel";
import { eventSpecOf } from "@banyan/kernel/internal";
import type { CallInit, NamedOperation, OperationRunner } from "@banyan/kernel/internal";
import { deliveredSchema } from "./describe/event-schema.ts";

/** One implementation of one point. */
export interface Implementation {
  /** Service that owns the point. */
  readonly owner: string;
  readonly point: string;
  readonly runner: OperationRunner;
}

export class ExtensionRegistry {
  readonly #implementations = new Map<string, Implementation[]>();
  /** Listener points by the event that tells them. */
  readonly #listened = new Map<string, string[]>();
  readonly #log: Log;

  constructor(contracts: readonly AnyContract[], log: Log) {
    this.#log = log;
    for (const { name, spec } of contracts) {
      for (const [point, declared] of Object.entries(spec.extensionPoints ?? {})) {
        if (declared.kind !== "listener") continue;
        const key = `${name}.${declared.event}`;
        this.#listened.set(key, [...(this.#listened.get(key) ?? []), `${name}.${point}`]);
      }
    }
  }

  add(implementation: Implementation): void {
    const key = `${implementation.owner}.${implementation.point}`;
    const all = [...(this.#implementations.get(key) ?? []), implementation];
    all.sort((a, b) => (a.runner.service < b.runner.service ? -1 : 1));
    this.#implementations.set(key, all);
  }

  /** Asks every implementation of a provider point (I1). */
  async collect(
    owner: string,
    point: string,
    { request, init }: { request: unknown; init: CallInit },
  ): Promise<Contribution<unknown>[]> {
    const implementations = this.#implementations.get(`${owner}.${point}`) ?? [];
    return Promise.all(
      implementations.map(async ({ runner }) => ({
        service: runner.service,
        response: await runner.invoke(request, init),
      })),
    );
  }

  /** Whether anybody here would be told of the event. */
  isListened(owner: string, event: string): boolean {
    const points = this.#listened.get(`${owner}.${event}`) ?? [];
    return points.some((point) => this.#implementations.has(point));
  }

  /** Tells every local listener of an event (I2). */
  async tell(
    owner: string,
    event: string,
    { event: body, init }: { event: object; init: CallInit },
  ): Promise<void> {
    const points = this.#listened.get(`${owner}.${event}`);
    if (points === undefined) return;
    const runners = points.flatMap((point) => this.#implementations.get(point) ?? []);
    const results = await Promise.allSettled(
      runners.map(({ runner }) => runner.invoke(body, init)),
    );
    for (const [index, result] of results.entries()) {
      if (result.status === "fulfilled") continue;
      const listener = runners[index]?.runner.name;
      this.#log.warn("listener failed", { listener, event, error: result.reason });
    }
  }
}

/** The operation that an implementation is run as. */
export function extensionOperation(name: string, extension: ExtensionSpec): NamedOperation {
  const { contract, point } = extension;
  const segments = ["extensions", name];
  const summary = `Implements ${contract.name}.${point}.`;
  const declared = contract.spec.extensionPoints?.[point];
  if (declared?.kind === "provider") {
    const { request, response } = declared;
    return { segments, name: segments.join("."), spec: { summary, request, response } };
  }
  const event = declared === undefined ? undefined : contract.spec.events?.[declared.event];
  const request =
    event === undefined ? t.Object({}) : t.Unsafe(deliveredSchema(eventSpecOf(event).payload));
  return { segments, name: segments.join("."), spec: { summary, request } };
}
