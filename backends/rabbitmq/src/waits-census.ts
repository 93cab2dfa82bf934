/**
 * How many messages wait in the server for each group, for a retry or for their time, whichever
 * process sent them there. The server cannot be asked: its queues of waits are shared by all
 * groups. So each process tells the others what it has sent to wait, and for how long.
 *
 * What it owns: what the others have told last, and the timer of its own next word.
 *
 * C1. What was told counts for as long as it said, also when its process is not heard of any more:
 *     the message waits in the server, which outlives the process.
 * C2. A process that has sent nothing to wait says nothing. One that has speaks at most once a
 *     second while that changes, and every few seconds else: who joins knows it by then.
 */

import { createIdSource } from "@banyan/kernel";
import type { CancelTimer, Clock, Random } from "@banyan/kernel";
import type { GroupView, Waiter } from "./group-view.ts";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";

const heartbeatMs = 4000;
const pauseMs = 1000;
/** What changes together is told together. */
const gatherMs = 50;

/** Processes whose word is kept; past it the one that was silent the longest is forgotten. */
const processesMax = 1000;

/** Waits are told in classes: up to this, twice this, four times this … */
const classMs = 250;

/** Of one life of a group: so many wait for at most so long. */
type Row = readonly [life: string, forMs: number, retrying: number, delayed: number];

/** As it is on the wire. */
export interface WaitsAnnouncement {
  readonly kind: "waits";
  readonly process: string;
  readonly rows: readonly Row[];
}

export interface WaitCounts {
  readonly retrying: number;
  readonly delayed: number;
}

interface Told extends WaitCounts {
  readonly life: string;
  /** Monotonic. */
  readonly untilMs: number;
}

export interface WaitsCensusPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly names: Names;
  readonly outbound: Outbound;
  /** The groups as this process sees them. */
  readonly views: () => Iterable<GroupView>;
}

export class WaitsCensus {
  readonly #ports: WaitsCensusPorts;
  readonly #process: string;
  /** Process → what waits of each life of a group. */
  readonly #told = new Map<string, Map<string, Told[]>>();
  #cancelTimer: CancelTimer | undefined = undefined;
  #isChanged = false;
  #isClosed = false;
  #saidAtMs = -Infinity;

  constructor(ports: WaitsCensusPorts) {
    this.#ports = ports;
    this.#process = createIdSource(ports.clock, ports.random).uuid();
  }

  /** What waits of a life of a group and was sent by others. */
  elsewhere(life: string): WaitCounts {
    const nowMs = this.#ports.clock.monotonicMs();
    let [retrying, delayed] = [0, 0];
    for (const groups of this.#told.values()) {
      for (const told of groups.get(life) ?? []) {
        if (told.untilMs <= nowMs) continue;
        retrying += told.retrying;
        delayed += told.delayed;
      }
    }
    return { retrying, delayed };
  }

  /** Something that this process sent to wait does so now, or does so no more. */
  changed(): void {
    if (this.#isChanged || this.#isClosed) return;
    this.#isChanged = true;
    const sinceMs = this.#ports.clock.monotonicMs() - this.#saidAtMs;
    this.#sayIn(Math.max(gatherMs, pauseMs - sinceMs));
  }

  /** Another process, or this one, has spoken; anything else is passed over. */
  heard({ process: from, rows }: { readonly process?: unknown; readonly rows?: unknown }): void {
    if (typeof from !== "string" || from === this.#process || !Array.isArray(rows)) return;
    const nowMs = this.#ports.clock.monotonicMs();
    const told = rows.filter(isRow).map(([life, forMs, retrying, delayed]): Told => {
      return { life, untilMs: nowMs + forMs, retrying, delayed };
    });
    this.#told.delete(from);
    if (told.length === 0) return;
    this.#told.set(
      from,
      Map.groupBy(told, ({ life }) => life),
    );
    const [silent] = this.#told.keys(); // they stand in the order in which they spoke
    if (this.#told.size > processesMax && silent !== undefined) this.#told.delete(silent);
  }

  /** Its last word is what it leaves waiting (C1). */
  close(): void {
    if (this.#isChanged) this.#say();
    this.#isClosed = true;
    this.#cancelTimer?.();
  }

  #sayIn(inMs: number): void {
    this.#cancelTimer?.();
    this.#cancelTimer = this.#ports.clock.setTimer(inMs, () => this.#say());
  }

  #say(): void {
    const { clock, names, outbound, views } = this.#ports;
    const nowMs = clock.monotonicMs();
    this.#isChanged = false;
    this.#saidAtMs = nowMs;
    const rows = Array.from(views()).flatMap(({ group, waiters }) =>
      rowsOf(group.life, waiters, nowMs),
    );
    const said: WaitsAnnouncement = { kind: "waits", process: this.#process, rows };
    outbound.send({
      exchange: names.members,
      routingKey: "",
      content: Buffer.from(JSON.stringify(said), "utf8"),
      properties: { deliveryMode: 1 },
      deadlineMs: nowMs + heartbeatMs,
      isRepeated: true,
      onEnd: () => undefined, // it is said again soon
    });
    if (rows.length > 0) this.#sayIn(heartbeatMs);
  }
}

function rowsOf(life: string, waiters: Iterable<Waiter>, nowMs: number): readonly Row[] {
  const byClass = new Map<number, { retrying: number; delayed: number }>();
  for (const { deadlineMs, isRetry } of waiters) {
    const steps = Math.max(0, Math.ceil(Math.log2((deadlineMs - nowMs) / classMs)));
    const counts = byClass.get(steps) ?? { retrying: 0, delayed: 0 };
    byClass.set(steps, counts);
    counts[isRetry ? "retrying" : "delayed"] += 1;
  }
  return Array.from(byClass, ([steps, { retrying, delayed }]): Row => {
    return [life, classMs * 2 ** steps, retrying, delayed];
  });
}

function isRow(value: unknown): value is Row {
  if (!Array.isArray(value)) return false;
  const row: readonly unknown[] = value;
  const [life, ...counts] = row;
  return typeof life === "string" && counts.length === 3 && counts.every(Number.isFinite);
}
