/** What the tests of faults publish, and how they tell one end from another. */

import assert from "node:assert/strict";
import { systemClock, systemIds } from "@banyan/kernel";
import type { OutgoingMessage } from "@banyan/messaging";
import type { RabbitmqOptions } from "../options.ts";

export const topic = "shop.sold";
export const group = { name: "till.sold", topic, delivery: "group" } as const;

/** A message with a number. */
export function message(n: number, fields: Partial<OutgoingMessage> = {}): OutgoingMessage {
  const headers = { source: "shop" };
  const timestampMs = systemClock.nowMs();
  return { id: systemIds.uuid(), topic, timestampMs, body: { n }, headers, ...fields };
}

export function numberOf({ body }: { readonly body: unknown }): number {
  assert(typeof body === "object" && body !== null && "n" in body);
  return Number(body.n);
}

/** The code of what it rejects with; `done`: it resolves. */
export async function codeOf(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "done";
  } catch (error) {
    return error instanceof Error && "code" in error ? String(error.code) : String(error);
  }
}

/** Options of a bus that notices a silent server within two seconds. */
export function quick(url: string): RabbitmqOptions {
  return { url, heartbeatS: 1, publishTimeoutMs: 2000 };
}

/** 0 … count - 1. */
export function numbers(count: number): number[] {
  return Array.from({ length: count }, (_, n) => n);
}
