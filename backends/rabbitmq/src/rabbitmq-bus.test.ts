import assert from "node:assert/strict";
import { after, test } from "node:test";
import { systemClock } from "@banyan/kernel";
import { BusCapability } from "@banyan/messaging";
import type { DeadLetter } from "@banyan/messaging";
import { busLaw, describeBus, lawFor } from "@banyan/messaging/conformance";
import type { BusHarness } from "@banyan/messaging/conformance";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms } from "@banyan/testbed";
import type { RabbitmqServer } from "@banyan/testbed";
import { openRabbitmqBus, rabbitmqCapabilities } from "./index.ts";
import type { RabbitmqOptions } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);

let server: Promise<RabbitmqServer> | undefined;
after(async () => (await server)?.[Symbol.asyncDispose]());

let opened = 0;

/** Each check has a namespace of its own on the one server. */
async function open(own: RabbitmqOptions, namespace: string): Promise<BusHarness> {
  server ??= openRabbitmq();
  const { url } = await server;
  const told: DeadLetter[] = [];
  const onDeadLetter = (letter: DeadLetter): void => void told.push(letter);
  const bus = await openRabbitmqBus({ url, namespace, onDeadLetter, ...own });
  return {
    bus,
    told,
    nowMs: () => systemClock.monotonicMs(),
    advance: (ms) => systemClock.sleep(ms),
    patience: 10,
    async restart() {
      await bus.close({ drainMs: 0 });
      return open(own, namespace);
    },
  };
}

function describeOn(
  what: string,
  own: RabbitmqOptions,
  capabilities: readonly BusCapability[],
): void {
  const name = `RabbitMQ bus ${what}`;
  if (skip !== false) {
    test(`the law of a bus, held by the ${name}`, { skip }, () => undefined);
    return;
  }
  const openFresh = (): Promise<BusHarness> => open(own, `law-${(opened += 1)}`);
  describeBus(
    { name, capabilities, restarts: true, sharesBacklog: true, open: openFresh },
    { concurrency: 6 },
  );
}

test("no check of the law is left out on RabbitMQ but those of a commit on one file", () => {
  const capabilities = [...rabbitmqCapabilities, BusCapability.Priority];
  const checks = lawFor({
    name: "RabbitMQ",
    capabilities,
    restarts: true,
    open: () => open({}, ""),
  });
  const missing = busLaw.filter((check) => !checks.includes(check)).map(({ needs }) => needs);
  assert.deepEqual(new Set(missing), new Set([BusCapability.Transactions]));
});

const withPriority = [...rabbitmqCapabilities, BusCapability.Priority];

describeOn("on quorum queues", {}, [...rabbitmqCapabilities]);
describeOn("on classic queues", { queueType: "classic", priorities: true }, withPriority);
describeOn("that writes CloudEvents", { format: "cloudevents" }, [...rabbitmqCapabilities]);
