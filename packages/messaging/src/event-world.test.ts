/** What the tests of typed events share: two contracts and a bus with handlers on it. No tests. */

import { defineContract, on, t } from "@banyan/kernel";
import type { AnyContract } from "@banyan/kernel";
import { CallRuntime } from "@banyan/kernel/internal";
import { FakeClock } from "@banyan/testbed";
import type { Bus, Message } from "./bus.ts";
import { subscribeHandlers } from "./events.ts";
import type { EventHandlers } from "./events.ts";
import { openMemoryBus } from "./memory.ts";
import { createPublisher } from "./publisher.ts";

export const greeter = defineContract("greeter", {
  summary: "Greets.",
  version: "1.0.0",
  events: {
    greeted: t.Object({ name: t.String({ minLength: 1 }), count: t.Integer() }),
    parted: {
      payload: t.Object({ who: t.String(), mood: t.String() }),
      version: 3,
      upgrade: {
        1: (old: unknown) => ({ who: nameOf(old) }),
        2: (old: unknown) => Object.assign(Object(old), { mood: "calm" }),
      },
    },
    lined: { payload: t.Object({ lane: t.String() }), orderedBy: "/lane" },
  },
});

function nameOf(old: unknown): unknown {
  return typeof old === "object" && old !== null && "name" in old ? old.name : undefined;
}

export const scribe = defineContract("scribe", {
  summary: "Writes greetings down.",
  version: "1.0.0",
  subscriptions: { greetings: on(greeter, "greeted", { retriesMax: 2, concurrency: 3 }) },
});

/** A bus on a fake clock with one service's handlers on it. */
export async function openWorld(
  contract: AnyContract,
  handlers: EventHandlers,
  wrap: (bus: Bus) => Bus = (bus) => bus,
) {
  const clock = new FakeClock();
  const bus = openMemoryBus({ clock });
  const runtime = new CallRuntime({ clock });
  const wired = await subscribeHandlers(contract, handlers, { bus: wrap(bus), runtime });
  const publisher = createPublisher(greeter, bus, { clock });
  return { clock, bus, runtime, wired, publisher };
}

/** What a raw subscriber of the topic sees. */
export async function watch(world: { bus: ReturnType<typeof openMemoryBus> }, topic: string) {
  const seen: Message[] = [];
  await world.bus.subscribe({ name: "test.watch", topic, delivery: "broadcast" }, (delivery) => {
    seen.push(delivery.message);
  });
  return seen;
}
