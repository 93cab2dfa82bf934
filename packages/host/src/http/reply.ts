/** How answers leave: JSON, problems, and nothing. */

import type { Log } from "@banyan/kernel";
import { isBanyanError } from "@banyan/kernel";
import type { CallContext } from "@banyan/kernel/internal";
import { toBanyanError } from "@banyan/kernel/internal";
import { formatTraceparent } from "@banyan/telemetry";
import type { FastifyReply } from "fastify";
import { problemHeaders, problemOf } from "./problem.ts";

const jsonMediaType = "application/json; charset=utf-8";

/** Sends an operation's answer; no answer is 204. `traced` is the call of a caller with a trace. */
export function sendAnswer(
  reply: FastifyReply,
  answer: unknown,
  traced: CallContext | undefined,
): void {
  if (traced !== undefined) reply.header("traceparent", formatTraceparent(traced.trace));
  if (answer === undefined) {
    reply.code(204).send();
    return;
  }
  reply.header("content-type", jsonMediaType).send(JSON.stringify(answer));
}

export interface ErrorContext {
  readonly log: Log;
  /** Its trace id lets the owner of the call find it in the log. */
  readonly call?: CallContext | undefined;
}

/**
 * Sends an error as problem details. A thrown thing that is no BanyanError did not come through
 * the pipeline, so nobody has logged it yet.
 */
export function sendError(reply: FastifyReply, thrown: unknown, { log, call }: ErrorContext): void {
  if (!isBanyanError(thrown)) log.error("HTTP request failed", { error: thrown });
  const error = toBanyanError(thrown);
  // The client went away: there is nobody to answer.
  if (reply.raw.destroyed || reply.raw.writableEnded) return;
  if (call !== undefined) reply.header("traceparent", formatTraceparent(call.trace));
  const problem = problemOf(error, call?.trace.traceId);
  reply.code(error.http).headers(problemHeaders(error)).send(JSON.stringify(problem));
}

/** Headers set so far, for an answer that goes past Fastify. */
export function plainHeaders(reply: FastifyReply): Record<string, string | string[]> {
  const entries = Object.entries(reply.getHeaders()).map(
    ([name, value]) => [name, Array.isArray(value) ? value : String(value)] as const,
  );
  return Object.fromEntries(entries);
}
