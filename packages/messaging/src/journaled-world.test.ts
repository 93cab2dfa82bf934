/** A disk, the bus on it and its clock, for the tests of a local bus with a journal. */

import assert from "node:assert/strict";
import { createRecordingLog, FakeClock } from "@banyan/testbed";
import type { Bus, Delivery, DeliveryHandler, OutgoingMessage, SubscribeSpec } from "./bus.ts";
import { TestDisk, testUnavailable } from "./conformance.ts";
import type { TestJournal, TestJournalWrite } from "./conformance.ts";
import { openLocalBus } from "./local-bus.ts";

/** The subscription of these tests. */
export const group = { name: "reader.ticks", topic: "clock.tick", delivery: "group" } as const;
const soon = { initialMs: 20, maxMs: 20, jitter: "none" } as const;

export class World {
  readonly clock = new FakeClock();
  readonly log = createRecordingLog();
  readonly disk: TestDisk;
  readonly #options: Readonly<Record<string, unknown>>;
  journal: TestJournal;
  bus: Bus;
  #ids = 0;

  constructor({
    delayMs = 0,
    ...options
  }: Readonly<Record<string, unknown>> & { readonly delayMs?: number } = {}) {
    this.disk = new TestDisk({ clock: this.clock, delayMs });
    this.#options = options;
    this.journal = this.disk.open();
    this.bus = this.#open();
  }

  message(): OutgoingMessage {
    this.#ids += 1;
    const id = `m${this.#ids}`;
    const timestampMs = this.clock.nowMs();
    return { id, topic: group.topic, timestampMs, body: { id }, headers: { source: "clock" } };
  }

  messages(count: number): OutgoingMessage[] {
    return Array.from({ length: count }, () => this.message());
  }

  /** The promise's end, while time passes. */
  async soon<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const mark = (): void => {
      isSettled = true;
    };
    promise.then(mark, mark);
    for (let step = 0; step < 200 && !isSettled; step += 1) await this.clock.advance(10);
    assert(isSettled, "it did not settle within two seconds");
    return promise;
  }

  async subscribe(
    handler: (delivery: Delivery) => Promise<void> | void = () => undefined,
    spec: Partial<SubscribeSpec> = {},
  ): Promise<string[]> {
    const seen: string[] = [];
    const recording: DeliveryHandler = (delivery) => {
      seen.push(delivery.message.id);
      return handler(delivery);
    };
    await this.soon(this.bus.subscribe({ backoff: soon, ...group, ...spec }, recording));
    return seen;
  }

  failing(...kinds: readonly TestJournalWrite[]): void {
    this.disk.failWith = (kind) => (kinds.includes(kind) ? testUnavailable() : undefined);
  }

  async restart(): Promise<void> {
    await this.soon(this.bus.close({ drainMs: 0 }));
    this.journal = this.disk.open();
    this.bus = this.#open();
  }

  /** As `kill -9`, and a start after it. */
  async crash(): Promise<void> {
    this.journal.kill();
    // What is left of the old bus must not disturb: its timers and handlers go with it.
    void this.bus.close({ drainMs: 0 });
    await this.clock.settle();
    this.journal = this.disk.open();
    this.bus = this.#open();
  }

  #open(): Bus {
    const { clock, log, journal } = this;
    return openLocalBus({ name: "journaled", journal, clock, log, options: this.#options });
  }
}

export const ids = (messages: readonly { readonly id: string }[]): string[] =>
  messages.map(({ id }) => id);
