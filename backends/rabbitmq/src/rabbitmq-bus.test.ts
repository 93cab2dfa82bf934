import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { systemClock } from "@banyan/kernel";
import { BusCapability } from "@banyan/messaging";
import type { DeadLetter } from "@banyan/messaging";
import { busLaw, describeBus, lawFor, runCheck } from "@banyan/messaging/conformance";
import type { BusCheck, BusHarness } from "@banyan/messaging/conformance";
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

describeOn("on quorum queues", {}, [...rabbitmqCapabilities]);
describeOn("on classic queues", { queueType: "classic" }, [...rabbitmqCapabilities]);
describeOn("that writes CloudEvents", { format: "cloudevents" }, [...rabbitmqCapabilities]);

describe("the law of priorities, held by the RabbitMQ bus on classic queues", { skip }, () => {
  const subject = {
    name: "RabbitMQ bus with priorities",
    capabilities: [
      BusCapability.Wildcards,
      BusCapability.Ordered,
      BusCapability.Delays,
      BusCapability.Priority,
    ],
    restarts: true,
    sharesBacklog: true,
    open: () => open({ queueType: "classic", priorities: true }, `law-${(opened += 1)}`),
  };
  const asked = (check: BusCheck): boolean =>
    check.needs === BusCapability.Priority || check.needs === BusCapability.Ordered;
  const others = [
    "the bus declares the capabilities it was announced with",
    "a capability that is not declared is refused by name",
  ];
  for (const check of lawFor(subject)) {
    if (!asked(check) && !others.includes(check.name)) continue;
    test(check.name, () => runCheck(subject, check));
  }
});
