/**
 * Random histories against the one promise that matters: whatever is published, subscribed, failed
 * and closed in whatever order, each group handles each of its messages or has it among its dead
 * letters; and once the bus is closed nothing is handled any more. Where groups share their
 * backlog, what closing left is handled by the next run.
 *
 * A history is data, so that any generator can make and shrink it.
 */

import assert from "node:assert/strict";
import { createSeededRandom } from "@banyan/kernel";
import type { Random } from "@banyan/kernel";
import type { Delivery, Subscription } from "../bus.ts";
import { deadLetter } from "../failure.ts";
import type { LawRun } from "./law-check.ts";

export const groupWords = ["red", "blue"] as const;

export type Step =
  | { readonly kind: "join"; readonly group: (typeof groupWords)[number] }
  | { readonly kind: "listen" }
  /** Closes the subscription at this place, counted round. */
  | { readonly kind: "leave"; readonly place: number; readonly drainMs: number }
  | { readonly kind: "publish"; readonly count: number }
  | { readonly kind: "pass"; readonly ms: number };

/** What handlers do, one after the other, round and round. */
export type Outcome = "ok" | "late" | "throw" | "reject" | "final";

export interface History {
  readonly steps: readonly Step[];
  readonly outcomes: readonly Outcome[];
}

/** Plays a history on a fresh bus and holds the end to the promise. */
export async function playHistory(law: LawRun, history: History): Promise<void> {
  await new Play(law, history).run();
}

/** A history from a seeded source, for a law that brings no generator along. */
function randomHistory(random: Random): History {
  const below = (max: number): number => Math.floor(random.next() * max);
  const steps = Array.from({ length: 20 + below(20) }, (): Step => {
    switch (below(6)) {
      case 0:
        return { kind: "join", group: below(2) === 0 ? "red" : "blue" };
      case 1:
        return { kind: "listen" };
      case 2:
        return { kind: "leave", place: below(8), drainMs: below(2) * 50 };
      case 3:
        return { kind: "pass", ms: below(60) };
      default:
        return { kind: "publish", count: 1 + below(8) };
    }
  });
  const outcomes: Outcome[] = ["ok", "late", "throw", "reject", "final"];
  const draw = (): Outcome => outcomes[below(8)] ?? "ok";
  return { steps, outcomes: Array.from({ length: 1 + below(12) }, draw) };
}

export function seededHistory(seed: number): History {
  return randomHistory(createSeededRandom(seed));
}

class Play {
  readonly #law: LawRun;
  readonly #history: History;
  /** Group → ids it must account for. */
  readonly #due = new Map<string, Set<string>>();
  /** Group → ids a handler of it finished well. */
  readonly #handled = new Map<string, Set<string>>();
  readonly #live: Subscription[] = [];
  #outcome = 0;
  #starts = 0;
  #isHealed = false;

  constructor(law: LawRun, history: History) {
    this.#law = law;
    this.#history = history;
  }

  async run(): Promise<void> {
    for (const step of this.#history.steps) await this.#step(step);
    this.#isHealed = true;
    for (const word of this.#due.keys()) await this.#join(word);
    await this.#settled();
    let dead = await this.#dead();
    const report = await this.#law.soon(this.#law.bus.close({ drainMs: 1000 }), "close");
    const startsAtClose = this.#starts;
    await this.#law.advance(200);
    assert.equal(this.#starts, startsAtClose, "a handler started after close");
    if (this.#law.sharesBacklog) dead = await this.#resume();
    else assert.deepEqual(report, { unhandled: 0, lost: 0 }, "something was left over");
    for (const [word, due] of this.#due) {
      for (const id of due) {
        const isKept =
          this.#handled.get(word)?.has(id) === true || dead.get(word)?.has(id) === true;
        assert(isKept, `group ${word} lost message ${id}`);
      }
      for (const id of this.#handled.get(word) ?? []) {
        assert(due.has(id), `group ${word} was given message ${id}, which was not for it`);
      }
    }
  }

  /** What closing left where it was is handled by the next run. */
  async #resume(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    await this.#law.restart();
    for (const word of this.#due.keys()) await this.#join(word);
    await this.#settled();
    return this.#dead();
  }

  /** Group → ids among its dead letters. */
  async #dead(): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    const dead = new Map<string, Set<string>>();
    for (const word of this.#due.keys()) {
      const letters = await this.#law.deadLettersOf(this.#law.name(word));
      dead.set(word, new Set(letters.map(({ message }) => message.id)));
    }
    return dead;
  }

  async #step(step: Step): Promise<void> {
    const { bus } = this.#law;
    switch (step.kind) {
      case "join":
        return this.#join(step.group);
      case "listen":
        return this.#listen();
      case "leave": {
        const [leaving] = this.#live.splice(step.place % Math.max(1, this.#live.length), 1);
        if (leaving === undefined) return undefined;
        await this.#law.soon(leaving.close({ drainMs: step.drainMs }), "leaving");
        return undefined;
      }
      case "publish": {
        const messages = this.#law.messages(step.count);
        for (const due of this.#due.values()) for (const { id } of messages) due.add(id);
        await this.#law.soon(bus.publish(messages), "publish");
        return undefined;
      }
      case "pass":
        return this.#law.advance(step.ms);
    }
  }

  async #join(word: string): Promise<void> {
    if (!this.#due.has(word)) {
      this.#due.set(word, new Set());
      this.#handled.set(word, new Set());
    }
    const spec = { name: this.#law.name(word), concurrency: 2, retriesMax: 2 };
    const { subscription } = await this.#law.subscribe(spec, (delivery) =>
      this.#handle(delivery, word),
    );
    this.#live.push(subscription);
  }

  async #listen(): Promise<void> {
    const spec = { name: this.#law.name("listener"), delivery: "broadcast" } as const;
    const { subscription } = await this.#law.subscribe(spec, (delivery) => this.#handle(delivery));
    this.#live.push(subscription);
  }

  #handle(delivery: Delivery, group?: string): Promise<void> | void {
    this.#starts += 1;
    const finish = (): void => {
      if (group !== undefined) this.#handled.get(group)?.add(delivery.message.id);
    };
    const { outcomes } = this.#history;
    const outcome = this.#isHealed ? "ok" : outcomes[this.#outcome++ % outcomes.length];
    switch (outcome) {
      case "throw":
        throw new Error("thrown");
      case "final":
        throw deadLetter("given up");
      case "reject":
        return this.#law.bus.status().then(() => Promise.reject(new Error("rejected")));
      case "late":
        return this.#law.bus.status().then(finish);
      default:
        return finish();
    }
  }

  /** Nothing is buffered, running or waiting for its retry. */
  async #settled(): Promise<void> {
    for (let step = 0; step < this.#law.steps; step += 1) {
      const { subscriptions } = await this.#law.bus.status();
      if (subscriptions.every((each) => each.buffered + each.running + each.retrying === 0)) return;
      await this.#law.advance(20);
    }
    assert.fail("the bus did not come to rest");
  }
}
