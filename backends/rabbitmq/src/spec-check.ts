/** What can be asked of a bus on RabbitMQ beside what every bus checks. */

import type { BusCapability } from "@banyan/messaging";
import { messagingErrors } from "@banyan/messaging";
import { isWildcard } from "@banyan/messaging/internal";
import type { ResolvedSubscribeSpec } from "@banyan/messaging/internal";
import { nameLengthMax, routingKeyMax } from "./names.ts";

/** @throws MESSAGING_SUBSCRIPTION_INVALID, MESSAGING_CAPABILITY_MISSING */
export function checkSpec(
  { name, topic, ordered, retentionMs }: ResolvedSubscribeSpec,
  handler: unknown,
  capabilities: ReadonlySet<BusCapability>,
): void {
  if (typeof handler !== "function") throw invalid(name, "its handler is not a function.");
  if (name.length > nameLengthMax) {
    throw invalid(name, `RabbitMQ takes names of at most ${nameLengthMax} characters.`);
  }
  if (topic.length > routingKeyMax - 3) {
    throw invalid(name, "RabbitMQ takes topics of at most 252 characters."); // a slot goes before
  }
  if (ordered && retentionMs !== undefined) {
    throw invalid(name, "RabbitMQ cannot keep an order and a retention for one group.");
  }
  const asked: readonly (readonly [capability: BusCapability, isAsked: boolean])[] = [
    ["wildcards", isWildcard(topic)],
    ["ordered", ordered],
    ["retention", retentionMs !== undefined],
  ];
  for (const [capability, isAsked] of asked) {
    if (!isAsked || capabilities.has(capability)) continue;
    throw messagingErrors.MESSAGING_CAPABILITY_MISSING(
      `Subscription "${name}" asks for ${capability}, which this bus does not offer.`,
      { details: { capability } },
    );
  }
}

function invalid(name: string, why: string): Error {
  return messagingErrors.MESSAGING_SUBSCRIPTION_INVALID(`Subscription "${name}": ${why}`);
}
