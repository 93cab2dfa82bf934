/**
 * `span` of a service's tools: a named piece of work, as a span of its own with everything below
 * it. Outside of a call, in background work, it begins a trace.
 */

import { CallContext, currentCallContext, runInCall, toBanyanError } from "@banyan/kernel/internal";
import type { SpanShape } from "@banyan/kernel/internal";
import { isBanyanError } from "@banyan/kernel";
import type { NodeParts } from "./node-parts.ts";

export type Span = <R>(name: string, work: () => Promise<R> | R) => Promise<R>;

/** Neither a call of an operation nor a door: it is counted nowhere, only traced. */
const shape: SpanShape = { kind: "internal", attributes: () => ({}) };

export function createSpan(service: string, { runtime, instruments }: NodeParts): Span {
  if (instruments?.tracer === undefined) return async (_name, work) => work();
  return async (name, work) => {
    const parent = currentCallContext();
    const call = new CallContext({ service, name, timeoutMs: Infinity, kind: "span" }, runtime, {
      mode: "trusted",
      principal: parent?.principal ?? { kind: "service", id: service },
      caller: service,
      parent,
      shape,
    });
    if (parent !== undefined && call.sampled) runtime.observer?.began?.(call);
    const live = call.open((error) => runtime.observe(call, error));
    // Where the call above has ended, the work still runs: a span decides nothing.
    if (!live) return work();
    try {
      const result = await runInCall(call, work);
      call.end(undefined, undefined);
      return result;
    } catch (error) {
      call.end(isBanyanError(error) ? error : toBanyanError(error), undefined);
      throw error;
    }
  };
}
