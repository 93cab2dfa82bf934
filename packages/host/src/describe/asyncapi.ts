/** AsyncAPI 3.0 from contracts: every event as a channel, who sends it and who receives it. */

import type { AnyContract } from "@banyan/kernel";
import { eventSpecOf } from "@banyan/kernel/internal";
import { deliveredSchema } from "./event-schema.ts";

type Json = Readonly<Record<string, unknown>>;

/** The document of `banyan contract export`. */
export function asyncApiDocument(
  contracts: readonly AnyContract[],
  { title = "Banyan node", version }: { title?: string; version: string },
): Json {
  const sorted = contracts.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  return {
    asyncapi: "3.0.0",
    info: { title, version },
    defaultContentType: "application/json",
    channels: Object.fromEntries(sorted.flatMap(channelsOf)),
    operations: Object.fromEntries([
      ...sorted.flatMap(sendersOf),
      ...sorted.flatMap((contract) => receiversOf(contract, sorted)),
    ]),
  };
}

function channelsOf({ name, spec }: AnyContract): [string, Json][] {
  return Object.entries(spec.events ?? {}).map(([event, declared]) => {
    const {
      payload,
      summary,
      version = 1,
      durability = "durable",
      orderedBy,
    } = eventSpecOf(declared);
    const topic = `${name}.${event}`;
    const message = {
      name: topic,
      ...(summary === undefined ? {} : { summary }),
      headers: headersSchema,
      payload: deliveredSchema(payload),
      "x-schema-version": version,
      "x-durability": durability,
      ...(orderedBy === undefined ? {} : { "x-ordered-by": orderedBy }),
    };
    return [topic, { address: topic, messages: { [event]: message } }];
  });
}

function sendersOf({ name, spec }: AnyContract): [string, Json][] {
  return Object.keys(spec.events ?? {}).map((event) => [
    `${name}.send.${event}`,
    { action: "send", channel: { $ref: `#/channels/${name}.${event}` }, tags: [{ name }] },
  ]);
}

/** Only of events whose contract is in the document: a reference must lead somewhere. */
function receiversOf({ name, spec }: AnyContract, known: readonly AnyContract[]): [string, Json][] {
  return Object.entries(spec.subscriptions ?? {})
    .filter(([, { contract }]) => known.some((each) => each.name === contract.name))
    .map(([key, { contract, event, delivery }]) => [
      `${name}.receive.${key}`,
      {
        action: "receive",
        channel: { $ref: `#/channels/${contract.name}.${event}` },
        tags: [{ name }],
        "x-delivery": delivery,
      },
    ]);
}

const headersSchema = {
  type: "object",
  required: ["source", "schemaVersion"],
  properties: {
    source: { type: "string" },
    principal: { type: "string" },
    traceparent: { type: "string" },
    tracestate: { type: "string" },
    correlationId: { type: "string" },
    schemaVersion: { type: "string" },
  },
  // The publisher's own.
  additionalProperties: { type: "string" },
};
