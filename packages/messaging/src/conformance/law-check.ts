/** What a check of the law is, and the tools all of them use. */

import assert from "node:assert/strict";
import { systemClock, systemIds } from "@banyan/kernel";
import type { BackoffOptions } from "@banyan/kernel";
import type { CommitRider } from "@banyan/state";
import type {
  Bus,
  BusCapability,
  DeadLetter,
  Delivery,
  DeliveryHandler,
  OutgoingMessage,
  SubscribeSpec,
  Subscription,
} from "../bus.ts";

/** A freshly opened bus with the time it lives in. */
export interface BusHarness {
  readonly bus: Bus;
  /** The dead letters it was told of: `onDeadLetter` of whatever opened the bus. */
  readonly told: readonly DeadLetter[];
  /**
   * Of a durable bus: closes this one and opens another on what it kept. Left out where nothing
   * outlives the bus.
   */
  restart?(): Promise<BusHarness>;
  /**
   * Capability `transactions`: commits riders as an engine on the bus's `medium` does, which writes
   * their loads and tells each that it is committed.
   */
  commit?(riders: readonly CommitRider[]): Promise<void>;
  /** Monotonic milliseconds of the bus's clock. */
  nowMs(): number;
  /** Wall clock of the bus. Default: the system's. */
  wallMs?(): number;
  /** Lets that much of the bus's time pass, and everything that is due happen. */
  advance(ms: number): Promise<void>;
  /** It has two seconds for anything, so many times: real servers are slower. Default 1. */
  readonly patience?: number | undefined;
}

/** A bus to hold to the law. */
export interface BusSubject {
  /** For titles: `memory bus`. */
  readonly name: string;
  /** Opens an empty bus with default options; each check opens its own. */
  open(): Promise<BusHarness>;
  /** What the bus declares; what it does not must fail in the named way. */
  readonly capabilities: readonly BusCapability[];
  /** Its harnesses have `restart`: a durable bus must. Default false. */
  readonly restarts?: boolean | undefined;
  /**
   * What groups hold is shared with other processes: closing gives back what this process had taken
   * and leaves the rest where it is. Default false: closing handles all of it.
   */
  readonly sharesBacklog?: boolean | undefined;
}

/** One sentence of the law. */
export interface BusCheck {
  readonly name: string;
  /** Asked only of a bus that declares it, or whose harness restarts. */
  readonly needs?: BusCapability | "restart" | undefined;
  run(law: LawRun): Promise<void>;
}

/** The checks as they are asked of buses with a capability. */
export function checksFor(
  needs: BusCapability | "restart",
  checks: readonly BusCheck[],
): readonly BusCheck[] {
  return checks.map((check) => ({ ...check, needs }));
}

/** The same wait every time, and short: for checks that are not about waiting. */
const promptBackoff: BackoffOptions = { initialMs: 20, maxMs: 20, jitter: "none" };

/** One delivery as a check recorded it. */
export interface Seen {
  readonly id: string;
  readonly attempt: number;
  readonly body: unknown;
  readonly atMs: number;
}

/** A running check: a bus, names nobody else uses, and patience with an end. */
export class LawRun {
  readonly capabilities: ReadonlySet<BusCapability>;
  /** Closing leaves what groups hold where it is; see `BusSubject`. */
  readonly sharesBacklog: boolean;
  readonly topic: string;
  #harness: BusHarness;
  readonly #prefix: string;

  constructor(
    harness: BusHarness,
    capabilities: readonly BusCapability[],
    { sharesBacklog = false }: Pick<BusSubject, "sharesBacklog"> = {},
  ) {
    this.#harness = harness;
    this.capabilities = new Set(capabilities);
    this.sharesBacklog = sharesBacklog;
    // A broker may keep what an earlier run left behind: names are fresh each time.
    this.#prefix = `law-${systemIds.uuid()}`;
    this.topic = this.name("topic");
  }

  get bus(): Bus {
    return this.#harness.bus;
  }

  get told(): readonly DeadLetter[] {
    return this.#harness.told;
  }

  /** The same bus in its next run. */
  async restart(): Promise<void> {
    const { restart } = this.#harness;
    assert(restart !== undefined, "its harness has no restart");
    this.#harness = await this.soon(restart.call(this.#harness), "the restart");
  }

  /** Commits staged publishes, as a transaction of an engine would. */
  async commit(...riders: readonly CommitRider[]): Promise<void> {
    const { commit } = this.#harness;
    assert(commit !== undefined, "its harness has no commit");
    await this.soon(commit.call(this.#harness, riders), "the commit");
  }

  stage(...messages: readonly OutgoingMessage[]): CommitRider {
    const rider = this.bus.stage?.(messages);
    assert(rider !== undefined, "it declares transactions but has no stage");
    return rider;
  }

  /** Closes the bus, whatever the check left running. */
  async end(): Promise<void> {
    await this.soon(this.bus.close({ drainMs: 0 }), "the end");
  }

  name(word: string): string {
    return `${this.#prefix}.${word}`;
  }

  nowMs(): number {
    return this.#harness.nowMs();
  }

  wallMs(): number {
    return this.#harness.wallMs?.() ?? systemClock.nowMs();
  }

  advance(ms: number): Promise<void> {
    return this.#harness.advance(ms);
  }

  message(body: unknown = { n: 1 }, topic: string = this.topic): OutgoingMessage {
    const headers = { source: "law" };
    return { id: systemIds.uuid(), topic, timestampMs: this.wallMs(), body, headers };
  }

  messages(count: number): OutgoingMessage[] {
    return Array.from({ length: count }, (_, n) => this.message({ n }));
  }

  /** Messages in order: `a` and `b` alternate for `["a", "b"]`. */
  keyed(keys: readonly string[], count: number): OutgoingMessage[] {
    return Array.from({ length: count }, (_, n) => {
      return { ...this.message({ n }), orderingKey: keys[n % keys.length] };
    });
  }

  /** Subscribes with a recorder around the handler. */
  async subscribe(
    spec: Partial<SubscribeSpec> & { readonly name: string },
    handler: DeliveryHandler = () => undefined,
  ): Promise<{ subscription: Subscription; seen: Seen[] }> {
    const seen: Seen[] = [];
    const record = (delivery: Delivery): Promise<void> | void => {
      const { message, attempt } = delivery;
      seen.push({ id: message.id, attempt, body: message.body, atMs: this.nowMs() });
      return handler(delivery);
    };
    const full: SubscribeSpec = {
      topic: this.topic,
      delivery: "group",
      backoff: promptBackoff,
      ...spec,
    };
    const subscription = await this.soon(this.bus.subscribe(full, record));
    return { subscription, seen };
  }

  /** Looks so often before it is over with the patience. */
  get steps(): number {
    return 100 * (this.#harness.patience ?? 1);
  }

  /** Waits until it holds; a bus has two seconds of its time for anything, times its patience. */
  async until(what: string, holds: () => boolean): Promise<void> {
    const { steps } = this;
    for (let step = 0; step < steps; step += 1) {
      if (holds()) return;
      await this.advance(step === 0 ? 0 : 20);
    }
    assert(holds(), `${what}: still not so after ${steps / 50} seconds`);
  }

  /** Time in which whatever must not happen had its chance. */
  async quiet(): Promise<void> {
    for (let step = 0; step < 10; step += 1) await this.advance(20);
  }

  /** Keeps a promise for later: if the check ends before, its rejection is nobody's crash. */
  later<T>(promise: Promise<T>): Promise<T> {
    promise.catch(() => undefined);
    return promise;
  }

  /** The promise's end, within the same patience. */
  async soon<T>(promise: Promise<T>, what = "the promise"): Promise<T> {
    let isSettled = false;
    const mark = (): void => {
      isSettled = true;
    };
    promise.then(mark, mark);
    await this.until(`${what} settles`, () => isSettled);
    return promise;
  }

  async rejects(
    promise: Promise<unknown>,
    code: string,
  ): Promise<Readonly<Record<string, unknown>>> {
    try {
      await this.soon(promise, `a refusal with ${code}`);
    } catch (error) {
      assert(typeof error === "object" && error !== null, "an error is an object");
      assert.equal("code" in error ? error.code : error, code);
      const details = "details" in error ? error.details : undefined;
      return Object.fromEntries(Object.entries(details ?? {}));
    }
    return assert.fail(`it was accepted, but ${code} was due`);
  }

  async deadLettersOf(subscription: string): Promise<readonly DeadLetter[]> {
    const page = await this.soon(this.bus.deadLetters.list({ subscription, limit: 1000 }));
    return page.letters;
  }

  /** Waits for that many dead letters. */
  async dead(subscription: string, count: number): Promise<readonly DeadLetter[]> {
    const { steps } = this;
    for (let step = 0; step < steps; step += 1) {
      const letters = await this.deadLettersOf(subscription);
      if (letters.length >= count) break;
      await this.advance(20);
    }
    const letters = await this.deadLettersOf(subscription);
    assert.equal(letters.length, count, `dead letters of ${subscription}`);
    return letters;
  }
}

export function idsOf(seen: readonly { readonly id: string }[]): string[] {
  return seen.map(({ id }) => id);
}

/** The same ids, each as often, in whatever order. */
export function sameIds(
  actual: readonly { readonly id: string }[],
  expected: readonly { readonly id: string }[],
  what: string,
): void {
  assert.deepEqual(idsOf(actual).toSorted(), idsOf(expected).toSorted(), what);
}
