/**
 * Who gets what: the subscriptions by topic, patterns included.
 *
 * What it owns: one `Route` for each topic that was published to or has waiting publishes.
 *
 * I1. A route's `queues` are those whose topic matches, in the order in which they came; the list
 *     is replaced, never changed, so whoever holds it has the queues of that moment.
 * I2. At most `routesMax` routes are remembered, and those that publishes wait at.
 */

import type { OutgoingMessage } from "./bus.ts";
import type { DeliveryQueue } from "./delivery-queue.ts";
import { isWildcard } from "./options.ts";
import { Route } from "./route.ts";

const routesMax = 10_000;

/** True when a topic fits a pattern: `*` stands for one word, `#` for any number of words. */
export function matchesTopic(pattern: string, topic: string): boolean {
  if (!isWildcard(pattern)) return pattern === topic;
  return matchesWords(pattern.split("."), topic.split("."));
}

/** Goes back to the last `#` only, which is enough and keeps it from exponential time. */
function matchesWords(pattern: readonly string[], words: readonly string[]): boolean {
  let at = 0;
  let word = 0;
  let lastHash = -1;
  let wordAtHash = 0;
  while (word < words.length) {
    const wanted = pattern[at];
    if (wanted === "#") {
      lastHash = at;
      wordAtHash = word;
      at += 1;
    } else if (wanted !== undefined && (wanted === "*" || wanted === words[word])) {
      at += 1;
      word += 1;
    } else if (lastHash !== -1) {
      at = lastHash + 1;
      wordAtHash += 1;
      word = wordAtHash;
    } else return false;
  }
  while (pattern[at] === "#") at += 1;
  return at === pattern.length;
}

export class TopicIndex {
  readonly #routes = new Map<string, Route>();
  /** In the order they came. */
  readonly #queues = new Set<DeliveryQueue>();

  get queues(): Iterable<DeliveryQueue> {
    return this.#queues;
  }

  get routes(): Iterable<Route> {
    return this.#routes.values();
  }

  /** The route of a topic that was published to before: such a topic is known to be valid. */
  known(topic: string): Route | undefined {
    return this.#routes.get(topic);
  }

  routeOf(message: OutgoingMessage): Route {
    return this.#routes.get(message.topic) ?? this.#makeRoute(message.topic);
  }

  add(queue: DeliveryQueue): void {
    this.#queues.add(queue);
    for (const route of this.#routesOf(queue)) route.queues = [...route.queues, queue];
  }

  /** Takes a queue out; answers the routes that had it. */
  remove(queue: DeliveryQueue): readonly Route[] {
    if (!this.#queues.delete(queue)) return [];
    const routes = this.#routesOf(queue);
    for (const route of routes) route.queues = route.queues.filter((each) => each !== queue);
    return routes;
  }

  clear(): void {
    this.#routes.clear();
    this.#queues.clear();
  }

  #makeRoute(topic: string): Route {
    if (this.#routes.size >= routesMax) this.#forgetOne();
    const queues = [...this.#queues].filter((queue) => matchesTopic(queue.spec.topic, topic));
    const route = new Route(topic, queues);
    this.#routes.set(topic, route);
    return route;
  }

  /** The oldest that nobody waits at; where publishes wait at all of them, none. */
  #forgetOne(): void {
    for (const route of this.#routes.values()) {
      if (route.nextWaiting !== undefined) continue;
      this.#routes.delete(route.topic);
      return;
    }
  }

  #routesOf({ spec }: DeliveryQueue): readonly Route[] {
    if (!isWildcard(spec.topic)) {
      const route = this.#routes.get(spec.topic);
      return route === undefined ? [] : [route];
    }
    return [...this.#routes.values()].filter(({ topic }) => matchesTopic(spec.topic, topic));
  }
}
