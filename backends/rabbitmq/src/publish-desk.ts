/** The way out: what is published is checked, put into envelopes, and sent when there is room. */

import type { Clock, Log } from "@banyan/kernel";
import { messagingErrors } from "@banyan/messaging";
import type { BusPublishOptions, DeadLetter, OutgoingMessage } from "@banyan/messaging";
import { checkMessage, isBatch, isEnqueue, isOver } from "@banyan/messaging/internal";
import type { Admission } from "./admission.ts";
import type { GroupDesk } from "./group-desk.ts";
import { redriveProperties } from "./letters.ts";
import { LostMessages } from "./lost-messages.ts";
import { routingKeyMax, slotOf } from "./names.ts";
import type { Names } from "./names.ts";
import type { MessageFormat } from "./options.ts";
import type { Outbound } from "./outbound.ts";
import { Publishing, withdrawn } from "./publishing.ts";
import type { Envelope, PublishingPorts } from "./publishing.ts";
import { contentOf, propertiesOf } from "./wire.ts";
import type { Incoming } from "./wire.ts";

export interface PublishDeskPorts {
  readonly clock: Clock;
  readonly log: Log;
  readonly names: Names;
  readonly admission: Admission;
  readonly outbound: Outbound;
  readonly desk: GroupDesk;
  readonly format: MessageFormat;
  readonly bodySizeMax: number;
  readonly publishTimeoutMs: number;
  readonly offersPriority: boolean;
  readonly counters: {
    published: number;
    unrouted: number;
    expired: number;
    enqueueFailed: number;
  };
}

export class PublishDesk {
  readonly #ports: PublishDeskPorts;
  readonly #publishingPorts: PublishingPorts;
  readonly #running = new Set<Publishing>();
  /** Set once the bus closes: what fails from then on is told together. */
  #lost: LostMessages | undefined = undefined;

  constructor(ports: PublishDeskPorts) {
    this.#ports = ports;
    const { clock, log, admission, outbound, counters } = ports;
    this.#publishingPorts = {
      clock,
      admission,
      outbound,
      restore: (views) => ports.desk.restore(views),
      confirmed: (_message, { isReturned }) => {
        counters.published += 1;
        if (isReturned) counters.unrouted += 1;
      },
      enqueueFailed: (message, error) => {
        counters.enqueueFailed += 1;
        if (this.#lost !== undefined) {
          this.#lost.add(message, error);
          return;
        }
        const { id, topic } = message;
        log.error("an enqueued message was not kept", { topic, messageId: id, error });
      },
    };
  }

  /** Publishes that wait for room. */
  get waiting(): number {
    let count = 0;
    for (const { isWaiting } of this.#running) if (isWaiting) count += 1;
    return count;
  }

  /** @throws what cannot be published, before anything of it is sent */
  publish(
    messages: OutgoingMessage | readonly OutgoingMessage[],
    options: BusPublishOptions,
  ): Promise<void> {
    const { clock, bodySizeMax, offersPriority: priority, publishTimeoutMs } = this.#ports;
    const { signal, timeoutMs = publishTimeoutMs, owned = false, mandatory = false } = options;
    if (signal?.aborted === true) throw withdrawn(signal);
    const terms = { timeoutMs, signal, mandatory, enqueue: isEnqueue(options) };
    const checks = { bodySizeMax, delays: clock, owned, priority };
    const batch = isBatch(messages) ? messages : [messages];
    const checked = batch.map((each) => checkMessage(each, checks));
    const envelopes = checked.map((each) => this.#envelopeOf(each));
    const alive = envelopes.filter(({ message }) => !this.#isOver(message));
    const publishing = new Publishing(alive, this.#publishingPorts, terms);
    this.#running.add(publishing);
    const done = publishing.run();
    const forget = (): void => void this.#running.delete(publishing);
    done.then(forget, forget);
    return done;
  }

  /** Gives a dead letter to its subscription again; false where that is gone or full. */
  async redeliver(
    { subscription, delivery, message }: DeadLetter,
    delivered: Incoming,
  ): Promise<boolean> {
    const { admission, names, desk, outbound, clock, publishTimeoutMs } = this.#ports;
    const isGroup = delivery === "group";
    const view = isGroup ? admission.view(subscription) : undefined;
    if (isGroup && (view === undefined || !view.hasRoom)) return false;
    const { promise, resolve, reject } = Promise.withResolvers<boolean>();
    outbound.send({
      exchange: isGroup ? "" : names.again,
      routingKey: view === undefined ? subscription : desk.queueFor(view.group, message),
      content: delivered.content,
      properties: redriveProperties(message, delivered, clock.nowMs()),
      deadlineMs: clock.monotonicMs() + publishTimeoutMs,
      onEnd: (error, { isReturned }) => {
        if (error === undefined) resolve(!isReturned);
        else reject(error);
      },
    });
    const isTaken = await promise;
    if (!isTaken || view === undefined) return isTaken;
    view.published();
    view.confirmed();
    return true;
  }

  /** Ends what still waits for room. The answer collects what was enqueued and fails from now. */
  close(error: Error): LostMessages {
    for (const publishing of this.#running) if (publishing.isWaiting) publishing.stop(error);
    this.#lost ??= new LostMessages();
    return this.#lost;
  }

  /** It was over when it was published: it goes to nobody. */
  #isOver(message: OutgoingMessage): boolean {
    const { clock, counters } = this.#ports;
    if (!isOver(message, clock)) return false;
    counters.published += 1;
    counters.expired += 1;
    return true;
  }

  /** @throws MESSAGING_MESSAGE_INVALID for a header that is not the publisher's to set */
  #envelopeOf(message: OutgoingMessage): Envelope {
    const { topic, orderingKey } = message;
    const { keyed, events } = this.#ports.names;
    const isKeyed = orderingKey !== undefined;
    const routingKey = isKeyed ? `${slotOf(orderingKey)}.${topic}` : topic;
    if (routingKey.length > routingKeyMax) throw topicTooLong(message);
    return {
      message,
      exchange: isKeyed ? keyed : events,
      routingKey,
      content: contentOf(message),
      properties: { ...propertiesOf(message, this.#ports.format), mandatory: true },
    };
  }
}

function topicTooLong({ id, topic }: OutgoingMessage): Error {
  return messagingErrors.MESSAGING_MESSAGE_INVALID(
    `Message ${id} to "${topic}" was refused: with an orderingKey RabbitMQ takes topics of at most ` +
      "252 characters.",
    { details: { pointer: "/topic" } },
  );
}
