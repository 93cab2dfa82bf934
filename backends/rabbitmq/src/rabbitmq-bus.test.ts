import { after } from "node:test";
import { systemClock } from "@banyan/kernel";
import { BusCapability } from "@banyan/messaging";
import { describeBus } from "@banyan/messaging/conformance";
import type { BusHarness } from "@banyan/messaging/conformance";
import { openRabbitmq } from "@banyan/testbed";
import { openRabbitmqBus, rabbitmqCapabilities } from "./index.ts";
import type { QueueType } from "./index.ts";

const server = openRabbitmq();
after(async () => (await server)[Symbol.asyncDispose]());

let opened = 0;

/** Each check has a namespace of its own on the one server. */
async function open(queueType: QueueType, namespace: string): Promise<BusHarness> {
  const { url } = await server;
  const bus = await openRabbitmqBus({ url, namespace, queueType });
  return {
    bus,
    nowMs: () => systemClock.monotonicMs(),
    advance: (ms) => systemClock.sleep(ms),
    patience: 10,
    async restart() {
      await bus.close({ drainMs: 0 });
      return open(queueType, namespace);
    },
  };
}

const subject = (queueType: QueueType) => ({
  restarts: true,
  sharesBacklog: true,
  open: () => open(queueType, `law-${(opened += 1)}`),
});

describeBus(
  {
    name: "RabbitMQ bus on quorum queues",
    capabilities: [...rabbitmqCapabilities],
    ...subject("quorum"),
  },
  { concurrency: 6 },
);

describeBus(
  {
    name: "RabbitMQ bus on classic queues",
    capabilities: [...rabbitmqCapabilities, BusCapability.Priority],
    ...subject("classic"),
  },
  { concurrency: 6 },
);
