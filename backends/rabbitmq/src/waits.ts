/**
 * Waiting in the broker: queues of fixed delay, from which a message goes back to its own queue.
 *
 * What it owns: which of those queues are declared on the channel of this connection, and how many
 * messages this process has sent to wait, by group.
 */

import type { Channel, ChannelModel, Options } from "amqplib";
import type { Clock } from "@banyan/kernel";
import { TimingWheel } from "@banyan/kernel/internal";
import { Waiter } from "./group-view.ts";
import type { GroupView } from "./group-view.ts";
import { waitMin, waitSteps } from "./names.ts";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import type { Address } from "./parcel.ts";
import { declareWait, withChannel } from "./topology.ts";

/** Before a message that was thrown away is sent to wait once more. */
const againMs = 50;

export interface WaitsPorts {
  readonly clock: Clock;
  readonly names: Names;
  readonly outbound: Outbound;
  /** The connection that declares. @throws where there is none */
  readonly connection: () => ChannelModel;
  /** How many wait has changed. */
  readonly changed: () => void;
}

export interface WaitingMessage {
  /** The queue it comes back to. */
  readonly queue: string;
  readonly content: Buffer;
  readonly properties: Options.Publish;
  /** Wall clock. */
  readonly dueMs: number;
  readonly onEnd: (error: Error | undefined) => void;
}

export interface WaitFor {
  readonly isRetry: boolean;
  /** Wall clock. */
  readonly dueMs: number;
}

export class Waits {
  readonly #ports: WaitsPorts;
  readonly #declared = new Map<number, Promise<void>>();
  /** Steps that messages on their way may go to. */
  readonly #used = new Set<number>();
  readonly #wheel: TimingWheel<Waiter>;

  constructor(ports: WaitsPorts) {
    this.#ports = ports;
    this.#wheel = new TimingWheel<Waiter>(ports.clock, (waiter) => this.#forget(waiter));
  }

  down(): void {
    this.#declared.clear();
  }

  /** Sends it to wait for its time, or as far as one step brings it. */
  async send({ queue, content, properties, dueMs, onEnd }: WaitingMessage): Promise<void> {
    const { clock, outbound } = this.#ports;
    try {
      const address = await this.#addressFor(dueMs - clock.nowMs(), queue);
      outbound.send({
        ...address,
        content,
        properties: { ...properties, mandatory: true },
        deadlineMs: Infinity,
        onEnd: (error, { isReturned }) => {
          if (error !== undefined || !isReturned) {
            onEnd(error);
            return;
          }
          // The queue of the wait was deleted by hand: it is made again.
          this.#declared.clear();
          clock.setTimer(againMs, () => {
            void this.send({ queue, content, properties, dueMs, onEnd });
          });
        },
      });
    } catch (error) {
      onEnd(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** What messages wait in may have been deleted. @throws where there is no connection */
  async declareAgain(): Promise<void> {
    this.#declared.clear();
    for (const step of this.#used) await this.#declare(step);
  }

  /**
   * Counts a message among those that wait, until its time.
   * @param where `here`: unacknowledged in this process, which counts as taken already
   */
  count(view: GroupView, { isRetry, dueMs }: WaitFor, where: "here" | "server"): void {
    const { clock, changed } = this.#ports;
    const waitMs = dueMs - clock.nowMs();
    if (waitMs <= 0) return;
    const isHere = where === "here";
    const waiter = new Waiter(view, { isRetry, isHere, deadlineMs: clock.monotonicMs() + waitMs });
    view.waits(waiter);
    this.#wheel.add(waiter);
    changed();
  }

  /** The group is gone, and with it what waits for it. */
  forgetAll(view: GroupView): void {
    for (const waiter of view.waiters) {
      this.#wheel.remove(waiter);
      this.#forget(waiter);
    }
  }

  async #addressFor(waitMs: number, queue: string): Promise<Address> {
    const { names } = this.#ports;
    const step = waitMs < waitMin ? undefined : waitSteps.find((each) => each <= waitMs);
    if (step === undefined) return { exchange: names.back, routingKey: queue };
    this.#used.add(step);
    await this.#declare(step);
    return { exchange: names.wait(step), routingKey: queue };
  }

  #declare(step: number): Promise<void> {
    const known = this.#declared.get(step);
    if (known !== undefined) return known;
    const { names, connection } = this.#ports;
    const declaring = Promise.try(() =>
      withChannel(connection(), (channel: Channel) => declareWait(channel, names, step)),
    );
    this.#declared.set(step, declaring);
    declaring.catch(() => this.#declared.delete(step));
    return declaring;
  }

  #forget(waiter: Waiter): void {
    waiter.view.waitsNoMore(waiter);
    this.#ports.changed();
  }
}
