/**
 * Whether a message may go out: all groups of its topic must have room.
 *
 * What it owns: the groups by name, the topics that were published to, the publishes that wait.
 * What may interrupt it: the registry, a handler's end, a look at a queue; each lets `#serve` run.
 *
 * A1. Publishes to one topic go out in their order: who waits at it is passed by nobody.
 * A2. A message is given a place in all its groups at once, or in none.
 */

import type { Clock } from "@banyan/kernel";
import { Fifo, matchesTopic } from "@banyan/messaging/internal";
import { GroupView } from "./group-view.ts";
import type { Group } from "./registry.ts";

/** Topics that are remembered. */
const topicsMax = 10_000;

/** Pauses between looks at a group that somebody waits for. */
const lookMs = { first: 10, most: 250 } as const;

/** A publish that waits at a topic, perhaps with several messages for it. */
export interface Waiting {
  readonly isEnded: boolean;
  /** Topic of its next message; `undefined`: it has none left. */
  readonly topic: string | undefined;
  /** Its next message has its places, in these groups. */
  goOne(views: Views): void;
  /** Its next message is for another topic, or it has none left. */
  goOn(): void;
}

/** The groups in which a message has its place: told when it is confirmed, or is not. */
export type Views = readonly GroupView[];

interface Topic {
  readonly name: string;
  views: Views;
  readonly waiting: Fifo<Waiting>;
}

export interface AdmissionPorts {
  readonly clock: Clock;
  /**
   * Messages of a group that no process has: in its queues (0 where they are not there), or sent
   * to wait by others.
   */
  readonly look: (group: Group) => Promise<number>;
}

export class Admission {
  readonly #ports: AdmissionPorts;
  readonly #views = new Map<string, GroupView>();
  readonly #topics = new Map<string, Topic>();
  readonly #watched = new Set<GroupView>();

  constructor(ports: AdmissionPorts) {
    this.#ports = ports;
  }

  get views(): Iterable<GroupView> {
    return this.#views.values();
  }

  view(name: string): GroupView | undefined {
    return this.#views.get(name);
  }

  /** Takes places for a message. `undefined`: it must wait, or others wait before it. */
  take(topicName: string): Views | undefined {
    const topic = this.#topic(topicName);
    return topic.waiting.size > 0 ? undefined : this.#takeAt(topic);
  }

  /** The group that has no room, for who gives up. */
  fullAt(topicName: string): Group | undefined {
    return this.#topic(topicName).views.find((view) => !view.hasRoom)?.group;
  }

  wait(topicName: string, waiting: Waiting): void {
    const topic = this.#topic(topicName);
    topic.waiting.push(waiting);
    this.#serve(topic);
  }

  /** Somebody who waited has ended: those behind may go on. */
  left(topicName: string): void {
    this.#serve(this.#topic(topicName));
  }

  /** The registry tells of a group: new, changed, or gone. */
  changed(name: string, group: Group | undefined): void {
    const known = this.#views.get(name);
    if (group === undefined) this.#views.delete(name);
    else if (known?.group.life === group.life) known.group = group;
    else this.#views.set(name, new GroupView(group));
    for (const topic of this.#topics.values()) {
      topic.views = this.#viewsOf(topic.name);
      this.#serve(topic);
    }
  }

  /** A message of the group is through. */
  finished(view: GroupView): void {
    const hadRoom = view.hasRoom;
    view.finished();
    if (!hadRoom && view.hasRoom) this.#served(view);
  }

  /** Looks at a group now, whatever is known of it. */
  async look(view: GroupView): Promise<void> {
    view.beginLook();
    try {
      const ready = await this.#ports.look(view.group);
      view.endLook(ready, this.#ports.clock);
      if (view.needsLook) await this.look(view);
      this.#served(view);
    } catch (error) {
      view.failLook();
      throw error;
    }
  }

  #takeAt({ views }: Topic): Views | undefined {
    for (const view of views) {
      if (view.hasRoom) continue;
      this.#watch(view);
      return undefined;
    }
    for (const view of views) {
      view.published();
      if (!view.isLooking && view.isStale(this.#ports.clock)) {
        this.look(view).catch(() => undefined); // there is no connection: it is looked at later
      }
    }
    return views;
  }

  /** Looks again and again while somebody waits for it. */
  #watch(view: GroupView): void {
    if (this.#watched.has(view)) return;
    this.#watched.add(view);
    void this.#watching(view);
  }

  async #watching(view: GroupView): Promise<void> {
    const { clock } = this.#ports;
    let pauseMs: number = lookMs.first;
    while (this.#isAwaited(view)) {
      await clock.sleep(pauseMs);
      pauseMs = Math.min(pauseMs * 2, lookMs.most);
      await this.look(view).catch(() => undefined); // no connection: the next look may have one
    }
    this.#watched.delete(view);
    // Somebody may have come while the last look was under way.
    if (this.#isAwaited(view)) this.#watch(view);
  }

  #isAwaited(view: GroupView): boolean {
    if (view.hasRoom || this.#views.get(view.group.name) !== view) return false;
    return this.#topicsOf(view).some(({ waiting }) => {
      dropEnded(waiting);
      return waiting.size > 0;
    });
  }

  #served(view: GroupView): void {
    for (const topic of this.#topicsOf(view)) this.#serve(topic);
  }

  #serve(topic: Topic): void {
    for (;;) {
      dropEnded(topic.waiting);
      const first = topic.waiting.peek();
      const views = first && this.#takeAt(topic);
      if (views === undefined) return;
      first?.goOne(views);
      if (first?.topic === topic.name) continue;
      // It may have ended, and be gone already.
      if (topic.waiting.peek() === first) topic.waiting.shift();
      first?.goOn();
    }
  }

  #topicsOf(view: GroupView): Topic[] {
    return [...this.#topics.values()].filter(({ views }) => views.includes(view));
  }

  #topic(name: string): Topic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    if (this.#topics.size >= topicsMax) this.#forgetOne();
    const topic: Topic = { name, views: this.#viewsOf(name), waiting: new Fifo() };
    this.#topics.set(name, topic);
    return topic;
  }

  #viewsOf(topic: string): Views {
    return [...this.#views.values()].filter(({ group }) => matchesTopic(group.topic, topic));
  }

  #forgetOne(): void {
    for (const topic of this.#topics.values()) {
      if (topic.waiting.size > 0) continue;
      this.#topics.delete(topic.name);
      return;
    }
  }
}

function dropEnded(waiting: Fifo<Waiting>): void {
  while (waiting.peek()?.isEnded === true) waiting.shift();
}
