/**
 * The relay: brings what transactions left in an engine's outbox to the bus.
 *
 *   created ──start──▶ idle ◀──▶ running ──▶ pausing ──▶ running
 *      └────────────────┴───────────┴───close──┴──▶ closed
 *
 * Each kind but `running` and the ends carries the timer of its next run. A run claims rows, hands
 * them to the bus, removes them, and goes on until none is left.
 *
 * What it owns: the timer, the run under way, the ids that the bus has and the table does not know
 * of yet. What may interrupt it: a commit, a timer, the answers of engine and bus, `close`.
 *
 * R1. A row is removed only after the bus has its message safe. So an event is told at least once,
 *     and under the same id each time.
 * R2. One run at a time, and a batch is removed before the next is claimed: what this process
 *     commits reaches the bus in the order of the commits.
 * R3. What the bus does not take now stays first in line, and is tried again after a pause. What it
 *     will never take, or nobody can read, is set aside with the reason, and holds up nobody.
 * R4. Nothing is relayed before `start`: subscriptions must be there to collect it.
 * R5. `close` ends within its time; what is left is given back for others, or the next start.
 */

import { backoffMs, isBanyanError } from "@banyan/kernel";
import type { CancelTimer, Clock, Health, Log, Random } from "@banyan/kernel";
import type { CommitRider, EngineOutbox, OutboxRow } from "@banyan/state";
import { BusCapability } from "./bus.ts";
import type { Bus, OutgoingMessage } from "./bus.ts";
import { messagingErrors } from "./errors.ts";
import { checkMessage } from "./message-check.ts";
import { memoryDefaults } from "./options.ts";
import { formatLetter, parseLetter } from "./outbox-letter.ts";

export interface OutboxRelayOptions {
  /** How long a row stays with the process that holds it, in ms. */
  readonly leaseMs: number;
  /** Pause between two looks for rows that others left, in ms. */
  readonly pollMs: number;
  /** Rows that may wait before a transaction that publishes is refused. */
  readonly waitingMax: number;
}

export interface OutboxRelayPorts {
  readonly outbox: EngineOutbox;
  /** Of the engine, for messages. */
  readonly engine: string;
  readonly bus: Bus;
  /** Names this process among those who share the outbox. */
  readonly by: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly options: OutboxRelayOptions;
}

/** Depths, as far as this process knows, and counts since it started. */
export interface OutboxRelayStatus {
  readonly waiting: number;
  readonly aside: number;
  readonly relayed: number;
  /** Tries that ended because engine or bus failed. */
  readonly failed: number;
}

type Phase =
  | { readonly kind: "created" | "running" | "closed" }
  | { readonly kind: "idle" | "pausing"; readonly cancel: CancelTimer };

interface Letter {
  readonly id: string;
  readonly message: OutgoingMessage;
}

const CLAIM_MAX = 256;
const STATUS_AGE_MS = 2000; // older, and the next run asks anew
const OVERLOOKED_MAX = 8; // short pauses for rows that another's look had locked
const RELEASE_LIMIT_MS = 1000;
const FAILURES_NOTED = 3; // in a row; a server that rolls one claim back is no news
const overlooked = { initialMs: 5, maxMs: 200 };

/** What the bus will say again, however often it is asked. */
const refusals: ReadonlySet<string> = new Set([
  "MESSAGING_MESSAGE_INVALID",
  "MESSAGING_BODY_TOO_LARGE",
  "MESSAGING_CAPABILITY_MISSING",
]);

export class OutboxRelay {
  readonly engine: string;
  readonly #ports: OutboxRelayPorts;
  readonly #closing = new AbortController();
  #phase: Phase = { kind: "created" };
  #run: Promise<void> = Promise.resolve();
  #ending: Promise<void> | undefined = undefined;
  /** Rows of our own commits that no claim has answered yet. */
  #owed = 0;
  #isNudged = false;
  /** Ids that the bus has safe, while the table may still have them (R1). */
  readonly #safe = new Set<string>();
  #failures = 0;
  #misses = 0;
  #failure: unknown = undefined;
  #lookedAtMs = -Infinity;
  readonly #counts = { waiting: 0, aside: 0, relayed: 0, failed: 0 };

  constructor(ports: OutboxRelayPorts) {
    this.engine = ports.engine;
    this.#ports = ports;
  }

  /**
   * Prepares a publish that a transaction of the engine commits.
   * @throws what `Bus.publish` throws of a message; MESSAGING_BUFFER_FULL where too many wait
   */
  stage(messages: readonly OutgoingMessage[]): CommitRider {
    const { outbox, bus, by, clock, options } = this.#ports;
    const { bodySizeMax = memoryDefaults.bodySizeMax, capabilities } = bus;
    const delays = capabilities.has(BusCapability.Delays) ? clock : undefined;
    const priority = capabilities.has(BusCapability.Priority);
    const checks = { bodySizeMax, delays, priority, clock, owned: true };
    const loads = messages.map((message) => formatLetter(checkMessage(message, checks)));
    if (this.#counts.waiting + loads.length > options.waitingMax) throw this.#fullError();
    return outbox.ride(loads, { by, leaseMs: options.leaseMs }, () => {
      this.#onCommitted(loads.length);
    });
  }

  /** Begins to relay, with what is there already. */
  start(): void {
    if (this.#phase.kind === "created") this.#begin();
  }

  /** Nothing of ours is on its way, or nothing can be done about it now. */
  get isQuiet(): boolean {
    const { kind } = this.#phase;
    if (kind === "running") return false;
    return kind !== "idle" || this.#owed === 0;
  }

  get status(): OutboxRelayStatus {
    return { ...this.#counts };
  }

  health(): Health {
    const { bus } = this.#ports;
    const { aside } = this.#counts;
    if (this.#failures >= FAILURES_NOTED) {
      const code = isBanyanError(this.#failure) ? this.#failure.code : "an unknown reason";
      const reason = `events wait in the outbox, the way to the bus ${bus.name} fails: ${code}`;
      return { kind: "degraded", reason };
    }
    if (aside === 0) return { kind: "healthy" };
    const reason = `${aside} events are set aside in the outbox: the column "aside" says why`;
    return { kind: "degraded", reason };
  }

  /** Relays what is there, for at most `drainMs`; then gives back the rest. Idempotent. */
  close({ drainMs }: { readonly drainMs: number }): Promise<void> {
    this.#ending ??= this.#close(drainMs);
    return this.#ending;
  }

  async #close(drainMs: number): Promise<void> {
    const { outbox, by, log } = this.#ports;
    const wasStarted = this.#phase.kind !== "created";
    if (this.#phase.kind === "running") await this.#within(this.#run, drainMs);
    if (this.#phase.kind === "idle" || this.#phase.kind === "pausing") this.#phase.cancel();
    const running = this.#run;
    this.#phase = { kind: "closed" };
    this.#closing.abort();
    await this.#within(running, RELEASE_LIMIT_MS);
    if (!wasStarted) return;
    const released = Promise.try(() => outbox.release(by)).catch((error: unknown) => {
      // Its leases end by themselves.
      log.warn("rows of the outbox could not be given back", { engine: this.engine, error });
    });
    await this.#within(released, Math.min(RELEASE_LIMIT_MS, Math.max(drainMs, 1)));
  }

  async #within(work: Promise<void>, limitMs: number): Promise<void> {
    const patience = new AbortController();
    const over = this.#ports.clock
      .sleep(limitMs, { signal: patience.signal })
      .catch(() => undefined);
    await Promise.race([work, over]);
    patience.abort();
  }

  #onCommitted(rows: number): void {
    this.#counts.waiting += rows;
    this.#owed += rows;
    this.#isNudged = true;
    if (this.#phase.kind !== "idle") return;
    this.#phase.cancel();
    this.#begin();
  }

  #begin(): void {
    this.#phase = { kind: "running" };
    this.#run = this.#runOnce().then((pauseMs) => this.#rest(pauseMs));
  }

  /** `undefined`: nothing is left, and the next look is in its turn. */
  #rest(pauseMs: number | undefined): void {
    if (this.#phase.kind === "closed") return;
    if (pauseMs === undefined && this.#isNudged) {
      this.#begin();
      return;
    }
    const { clock, options } = this.#ports;
    const kind = pauseMs === undefined ? "idle" : "pausing";
    const cancel = clock.setTimer(pauseMs ?? options.pollMs, () => this.#begin());
    this.#phase = { kind, cancel };
  }

  /** Relays until nothing is left; answers how long to pause where something is. */
  async #runOnce(): Promise<number | undefined> {
    const { outbox, by, options, random, clock, bus, log } = this.#ports;
    const { signal } = this.#closing;
    const { leaseMs } = options;
    try {
      while (!signal.aborted) {
        this.#isNudged = false;
        const rows = await outbox.claim({ by, leaseMs, limit: CLAIM_MAX }, { signal });
        this.#owed = Math.max(0, this.#owed - rows.length);
        if (rows.length === 0) break;
        this.#misses = 0;
        await this.#relay(rows);
      }
      await this.#look(clock.monotonicMs());
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#counts.failed += 1;
      this.#failures += 1;
      this.#failure = error;
      if (this.#failures === FAILURES_NOTED) {
        const fields = { engine: this.engine, bus: bus.name, error };
        log.warn("events wait in the outbox; the way to the bus fails", fields);
      }
      return backoffMs(this.#failures, random, {
        initialMs: 50,
        maxMs: Math.min(5000, leaseMs / 2),
      });
    }
    if (this.#failures >= FAILURES_NOTED) {
      log.info("events are relayed again", { engine: this.engine, bus: bus.name });
    }
    this.#failures = 0;
    return this.#overlookedMs();
  }

  /**
   * Another's claim looks at our rows for a moment and keeps us from them; then they are there
   * again. If they are not, they are another's by now.
   */
  #overlookedMs(): number | undefined {
    if (this.#owed === 0 || this.#isNudged) return undefined;
    this.#misses += 1;
    if (this.#misses <= OVERLOOKED_MAX) {
      return backoffMs(this.#misses, this.#ports.random, overlooked);
    }
    this.#misses = 0;
    this.#owed = 0;
    return undefined;
  }

  async #relay(rows: readonly OutboxRow[]): Promise<void> {
    const letters: Letter[] = [];
    for (const { id, load } of rows) {
      // The bus has it; only its removal failed.
      if (this.#safe.has(id)) continue;
      try {
        letters.push({ id, message: parseLetter(load) });
      } catch (error) {
        await this.#setAside(id, undefined, error);
      }
    }
    const failure = await this.#publish(letters);
    await this.#removeSafe();
    if (failure !== undefined) throw failure.error;
  }

  /** Answers why the bus took no more, if it did not take all. */
  async #publish(letters: readonly Letter[]): Promise<{ readonly error: unknown } | undefined> {
    if (letters.length === 0) return undefined;
    const failure = await this.#tryToPublish(letters);
    if (failure === undefined || !isRefusal(failure.error)) return failure;
    // One of them is refused for good; which one is found one by one, in their order.
    for (const letter of letters) {
      if (this.#safe.has(letter.id)) continue;
      const alone = await this.#tryToPublish([letter]);
      if (alone === undefined) continue;
      if (!isRefusal(alone.error)) return alone;
      await this.#setAside(letter.id, letter.message, alone.error);
    }
    return undefined;
  }

  async #tryToPublish(
    letters: readonly Letter[],
  ): Promise<{ readonly error: unknown } | undefined> {
    const { bus, options } = this.#ports;
    const messages = letters.map(({ message }) => message);
    let accepted = letters.length;
    let failure: { readonly error: unknown } | undefined;
    try {
      // Long before the lease is over, so that nobody else publishes them meanwhile.
      const timeoutMs = Math.min(5000, options.leaseMs / 2);
      await bus.publish(messages, { owned: true, timeoutMs, signal: this.#closing.signal });
    } catch (error) {
      accepted = acceptedOf(error);
      failure = { error };
    }
    for (const { id } of letters.slice(0, accepted)) this.#safe.add(id);
    this.#counts.relayed += accepted;
    return failure;
  }

  async #removeSafe(): Promise<void> {
    const ids = [...this.#safe];
    if (ids.length === 0) return;
    await this.#ports.outbox.remove(ids);
    for (const id of ids) this.#safe.delete(id);
    this.#counts.waiting = Math.max(0, this.#counts.waiting - ids.length);
  }

  async #setAside(id: string, message: OutgoingMessage | undefined, error: unknown): Promise<void> {
    const { outbox, log } = this.#ports;
    const { code = "", message: text = String(error) } = isBanyanError(error) ? error : {};
    await outbox.setAside(id, `${code}: ${text}`);
    this.#counts.aside += 1;
    this.#counts.waiting = Math.max(0, this.#counts.waiting - 1);
    const { id: eventId, topic } = message ?? {};
    const fields = { engine: this.engine, row: id, eventId, topic, error };
    log.error("an event cannot be published and was set aside in the outbox", fields);
  }

  async #look(nowMs: number): Promise<void> {
    if (nowMs - this.#lookedAtMs < STATUS_AGE_MS) return;
    this.#lookedAtMs = nowMs;
    Object.assign(this.#counts, await this.#ports.outbox.status());
  }

  #fullError(): Error {
    const { waitingMax } = this.#ports.options;
    return messagingErrors.MESSAGING_BUFFER_FULL(
      `${this.#counts.waiting} events wait in the outbox of ${this.engine}, and ${waitingMax} may ` +
        "(outbox.waitingMax); nothing was written. See why the bus does not take them.",
      { details: { engine: this.engine, waitingMax, accepted: 0 } },
    );
  }
}

function isRefusal(error: unknown): boolean {
  return isBanyanError(error) && refusals.has(error.code);
}

/** The first so many of the batch are safe. */
function acceptedOf(error: unknown): number {
  const accepted = isBanyanError(error) ? error.details?.["accepted"] : undefined;
  return typeof accepted === "number" ? accepted : 0;
}
