/**
 * How a service tells its events: over the bus that the event's durability chooses, then to the
 * local listeners.
 *
 * I1. A listener is told of what is safe already: after the publish, or after the commit of the
 *     transaction that it was part of. Of what is only enqueued it is told that early too.
 * I2. What a listener hears was copied when it was published.
 */

import { createIdSource, t } from "@banyan/kernel";
import type { AnyContract, PublishOptions, Published, StagedPublishOptions } from "@banyan/kernel";
import {
  Codec,
  currentCallContext,
  eventSpecOf,
  kernelErrors,
  toJsonSchema,
} from "@banyan/kernel/internal";
import { createPublisher } from "@banyan/messaging";
import type { PreparedEvent } from "@banyan/messaging";
import { createPublishObserver } from "@banyan/telemetry/internal";
import type { OperationObserver } from "@banyan/telemetry/internal";
import { initFrom } from "./call-init.ts";
import type { NodeParts } from "./node-parts.ts";

/** The types of the contract are erased: names are data here. */
export interface ServicePublisher {
  readonly publish: Publish;
  /** Checks an event now, for a commit later. @throws EVENT_INVALID */
  readonly prepare: (event: string, payload: unknown, options?: StagedPublishOptions) => ToldEvent;
}

type Publish = (event: string, payload: unknown, options?: PublishOptions) => Promise<Published>;
type Prepare = (event: string, payload: unknown, options?: StagedPublishOptions) => PreparedEvent;

/** An event that a transaction publishes. */
export interface ToldEvent extends PreparedEvent {
  /** Tells the listeners, once it is committed; their failures are logged and go no further. */
  readonly tell: () => Promise<void>;
}

export function createServicePublisher(contract: AnyContract, node: NodeParts): ServicePublisher {
  const { engines, extensions, clock, random } = node;
  const { name } = contract;
  const publisher = createPublisher(
    contract,
    { durable: engines.bus, ephemeral: engines.ephemeralBus },
    { clock, ids: createIdSource(clock, random), observer: observerOf(contract, node) },
  );
  const send: Publish = publisher.publish;
  const prepare: Prepare = publisher.prepare;
  const codecs = new Map<string, Codec>();

  /** What listeners hear. */
  const heardOf = (event: string, payload: unknown): object => {
    const codec = codecs.get(event) ?? codecOf(contract, event);
    codecs.set(event, codec);
    // The contract's check refuses events that are no objects.
    return codec.parse(payload, "tolerant") as object;
  };
  const tell = (event: string, heard: object, published: Published): Promise<void> =>
    extensions.tell(name, event, {
      event: { ...heard, ...published },
      init: initFrom(name, currentCallContext()),
    });
  const publishAndTell: Publish = async (event, payload, options) => {
    const heard = heardOf(event, payload);
    const published = await send(event, payload, options);
    await tell(event, heard, published);
    return published;
  };

  return {
    // Most events have no listener, and then there is no promise in between.
    publish: (event, payload, options) =>
      extensions.isListened(name, event)
        ? publishAndTell(event, payload, options)
        : send(event, payload, options),
    prepare(event, payload, options) {
      const heard = extensions.isListened(name, event) ? heardOf(event, payload) : undefined;
      const { message, published } = prepare(event, payload, options);
      return {
        message,
        published,
        tell: async () => (heard === undefined ? undefined : tell(event, heard, published)),
      };
    },
  };
}

/** Of its publishes, where something watches. */
function observerOf(
  { name, spec }: AnyContract,
  { instruments, engines }: NodeParts,
): OperationObserver | undefined {
  if (instruments === undefined) return undefined;
  const systemOf = (topic: string): string => {
    const declared = spec.events?.[topic.slice(name.length + 1)];
    const isEphemeral = declared !== undefined && eventSpecOf(declared).durability === "ephemeral";
    return (isEphemeral ? engines.ephemeralBus : engines.bus).name;
  };
  return createPublishObserver(instruments, { service: name, systemOf });
}

/** For an event that is listened to: its payload as it is published, before any transform. */
function codecOf({ name, spec }: AnyContract, event: string): Codec {
  const declared = spec.events?.[event];
  const schema =
    declared === undefined ? true : toJsonSchema(eventSpecOf(declared).payload, "input");
  return new Codec(t.Unsafe(schema), {
    what: `Event ${name}.${event}`,
    refuse: kernelErrors.EVENT_INVALID,
  });
}
