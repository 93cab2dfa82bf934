/** The operator's look at the events: who tells what, who listens, what waits, what died. */

import type { Call, Client, ServiceParts } from "@banyan/kernel";
import { createIdSource, systemRandom } from "@banyan/kernel";
import { eventSpecOf, kernelErrors, nearest, toJsonSchema } from "@banyan/kernel/internal";
import type { Bus, OutboundStatus } from "@banyan/messaging";
import { isTopic, isWildcard } from "@banyan/messaging/internal";
import { hostErrors } from "../errors.ts";
import type { nodeContract } from "../node-contract.ts";
import type { NodeView } from "../node-view.ts";
import { busNameFor } from "../engine-choice.ts";
import { deadLetterHandlers } from "./dead-letters.ts";
import { EventTail } from "./event-tail.ts";
import { audit } from "./state-handlers.ts";

type Handlers = ServiceParts<typeof nodeContract>["operations"]["events"];
type EventClient = Client<typeof nodeContract>["events"];
type Topics = Awaited<ReturnType<EventClient["topics"]>>;
type BufferRow = Awaited<ReturnType<EventClient["buffer"]>>["buses"][number];
type BusRow = Awaited<ReturnType<EventClient["status"]>>["buses"][number];

/** Dead letters that are counted before the count is given up: each may hold a large body. */
const countMax = 100;

export function eventHandlers(node: NodeView): Handlers {
  return {
    topics: async () => ({ topics: topicRows(node), groups: await groupRows(node) }),
    async status() {
      const buses = await Promise.all(busesOf(node).map(([name, bus]) => busRow(name, bus, node)));
      const pages = await Promise.all(
        busesOf(node).map(([, bus]) => bus.deadLetters.list({ limit: countMax })),
      );
      const waiting = pages.reduce((sum, { letters }) => sum + letters.length, 0);
      return { buses, deadLetters: Math.min(waiting, countMax) };
    },
    async buffer() {
      return { buses: await Promise.all(busesOf(node).map(bufferRow)) };
    },
    async publish({ topic, payload, delayMs, eventId, ...terms }, call) {
      const { publisher, event } = eventOf(node, topic);
      const published = await publisher.publish(event, payload, {
        ...(eventId === undefined ? {} : { eventId }),
        delayMs,
        ...terms,
        signal: call.signal,
      });
      audit(call, "event published by an operator", { topic, eventId: published.eventId });
      return published;
    },
    tail: ({ topic = "#" }, call) => tailEvents(node, topic, call),
    deadLetters: deadLetterHandlers(node),
  };
}

function busesOf({ engines }: NodeView): readonly (readonly [name: string, bus: Bus])[] {
  return [...(engines?.buses ?? [])];
}

function topicRows(node: NodeView): Topics["topics"] {
  const subscriptions = node.instances.flatMap(({ contract }) =>
    Object.entries(contract.spec.subscriptions ?? {}).map(([key, each]) => ({
      name: `${contract.name}.${key}`,
      delivery: each.delivery,
      topic: `${each.contract.name}.${each.event}`,
    })),
  );
  // The node's own last: who looks for their events looks at the top.
  const ordered = node.instances.toSorted(
    (a, b) => Number(a.contract.name === "node") - Number(b.contract.name === "node"),
  );
  return ordered.flatMap(({ contract }) =>
    Object.entries(contract.spec.events ?? {}).map(([event, declared]) => {
      const spec = eventSpecOf(declared);
      const { summary, durability = "durable", version = 1, orderedBy, payload } = spec;
      const topic = `${contract.name}.${event}`;
      return {
        topic,
        service: contract.name,
        event,
        ...(summary === undefined ? {} : { summary }),
        durability,
        bus: busNameFor(node.setup.config, durability),
        version,
        ...(orderedBy === undefined ? {} : { orderedBy }),
        payload: toJsonSchema(payload, "input"),
        subscribers: subscriptions
          .filter((each) => each.topic === topic)
          .map(({ name, delivery }) => ({ name, delivery })),
      };
    }),
  );
}

async function groupRows(node: NodeView): Promise<Topics["groups"]> {
  const rows = await Promise.all(
    busesOf(node).map(async ([name, bus]) => {
      const { subscriptions } = await bus.status();
      return subscriptions.map((each) => ({ ...each, bus: name }));
    }),
  );
  return rows.flat().sort((a, b) => (a.name < b.name ? -1 : 1));
}

function outboundRow({ blocked, ...counts }: OutboundStatus): NonNullable<BusRow["outbound"]> {
  return blocked === undefined ? counts : { ...counts, blocked };
}

async function bufferRow([name, bus]: readonly [name: string, bus: Bus]): Promise<BufferRow> {
  const { publishesWaiting, enqueueFailed, outbound } = await bus.status();
  const row = { name, publishesWaiting, enqueueFailed };
  return outbound === undefined ? row : { ...row, outbound: outboundRow(outbound) };
}

async function busRow(name: string, bus: Bus, { engines }: NodeView): Promise<BusRow> {
  const { subscriptions: _, outbound, ...counters } = await bus.status();
  return {
    name,
    durability: bus.durability,
    capabilities: [...bus.capabilities],
    carries: [
      ...(bus === engines?.bus ? ["durable" as const] : []),
      ...(bus === engines?.ephemeralBus ? ["ephemeral" as const] : []),
    ],
    ...counters,
    ...(outbound === undefined ? {} : { outbound: outboundRow(outbound) }),
  };
}

/** @throws NODE_TOPIC_UNKNOWN with the nearest one. */
function eventOf(
  { instances }: NodeView,
  topic: string,
): { publisher: NodeView["instances"][number]["publisher"]; event: string } {
  const known: string[] = [];
  for (const { contract, publisher } of instances) {
    for (const event of Object.keys(contract.spec.events ?? {})) {
      if (topic === `${contract.name}.${event}`) return { publisher, event };
      known.push(`${contract.name}.${event}`);
    }
  }
  const meant = nearest(topic, known);
  throw hostErrors.NODE_TOPIC_UNKNOWN(
    `No service of this node declares an event with the topic "${topic}"${
      meant === undefined ? "." : `; did you mean "${meant}"?`
    }`,
    { details: { topic } },
  );
}

/** Before a subscription is refused for it, whose name says nothing to who asked. */
function assertPattern(pattern: string): void {
  if (isTopic(pattern) || isWildcard(pattern)) return;
  throw kernelErrors.REQUEST_INVALID(
    `${JSON.stringify(pattern)} is no pattern of topics. Write words of letters, digits, _ and - ` +
      `joined by dots, where * stands for one word and # for any number of them: "greeter.*".`,
    { details: { issues: [{ pointer: "/topic", expected: "a topic or a pattern of topics" }] } },
  );
}

/** Ends when the reader goes, or the node stops: a reader must not hold up the stop. */
async function* tailEvents(
  node: NodeView,
  pattern: string,
  call: Call,
): ReturnType<Handlers["tail"]> extends AsyncIterable<infer F> ? AsyncGenerator<F> : never {
  assertPattern(pattern);
  const tail = new EventTail();
  const end = (): void => tail.end();
  const ids = createIdSource(node.clock, systemRandom);
  await using subscriptions = new AsyncDisposableStack();
  for (const [name, bus] of busesOf(node)) {
    const subscription = await bus.subscribe(
      {
        name: `node.tail-${ids.uuid()}`,
        topic: pattern,
        delivery: "broadcast",
        concurrency: 1,
        retriesMax: 0,
      },
      ({ message }) => tail.push(name, message),
    );
    subscriptions.defer(() => subscription.close({ drainMs: 0 }));
  }
  for (const signal of [call.signal, node.stopping]) {
    signal.addEventListener("abort", end);
    subscriptions.defer(() => signal.removeEventListener("abort", end));
    if (signal.aborted) end();
  }
  yield { kind: "live", pattern };
  for (;;) {
    const frames = await tail.take();
    if (frames === undefined) return;
    yield* frames;
  }
}
