/** Each metric of the bus moves when what it tells of happens, on a real server. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createMetrics } from "@banyan/telemetry";
import { findReasonToSkip, openRabbitmq, rabbitmqPrograms, until } from "@banyan/testbed";
import { group, message, numbers, quick } from "./conformance/fault-parts.ts";
import { openRabbitmqBus } from "./index.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);
const enqueue = { mode: "enqueue" } as const;

test(
  "every metric of the bus moves with what it tells of",
  { skip, timeout: 120_000 },
  async () => {
    await using server = await openRabbitmq();
    const metrics = createMetrics();
    const options = { ...quick(server.url), namespace: "told", outboundMax: 100, metrics };
    const bus = await openRabbitmqBus(options);
    await using stack = new AsyncDisposableStack();
    stack.defer(async () => void (await bus.close({ drainMs: 0 })));

    /** By name, without `banyan_rabbitmq_`; those that are not there are missing. */
    const read = async (): Promise<ReadonlyMap<string, number>> => {
      const { body } = await metrics.respond("text/plain");
      const lines = body.matchAll(/^banyan_rabbitmq_(\w+)\{namespace="told"\} (\S+)$/gm);
      return new Map([...lines].map(([, name = "", value]) => [name, Number(value)]));
    };
    const becomes = (name: string, holds: (value: number) => boolean): Promise<unknown> =>
      until(async () => holds((await read()).get(name) ?? Number.NaN), {
        what: `${name} is as it should be`,
        timeoutMs: 20_000,
      });
    const is = async (expected: Readonly<Record<string, number>>): Promise<void> => {
      const values = await read();
      for (const [name, value] of Object.entries(expected)) {
        assert.equal(values.get(name), value, name);
      }
    };

    await is({ connections: 2, connects_total: 2, takes_messages: 1, outbound_oldest_seconds: 0 });
    const before = (await read()).get("channels") ?? 0;
    await bus.subscribe(group, () => undefined);
    await becomes("channels", (value) => value > before);
    const confirmed = (await read()).get("confirm_duration_seconds_count") ?? 0;
    await bus.publish(numbers(5).map((n) => message(n)));
    await becomes("confirm_duration_seconds_count", (value) => value >= confirmed + 5);
    await becomes("confirm_duration_seconds_sum", (value) => value > 0);
    await is({ outbound_messages: 0, outbound_bytes: 0, outbound_used_ratio: 0 });

    server.pause();
    await bus.publish([message(6), message(7)], enqueue);
    await is({ unconfirmed_messages: 2, outbound_messages: 2, outbound_used_ratio: 0.02 });
    await becomes("outbound_bytes", (value) => value >= 2 * '{"n":6}'.length);
    await becomes("outbound_oldest_seconds", (value) => value > 0.3);
    server.resume();
    await becomes("outbound_messages", (value) => value === 0);

    await server.syncDeclared();
    await server.stop();
    await becomes("connections", (value) => value === 0);
    await bus.publish(message(8), enqueue);
    await is({ takes_messages: 0, channels: 0, unconfirmed_messages: 0, outbound_messages: 1 });
    await server.start();
    await becomes("connects_total", (value) => value >= 4);
    await becomes("connections", (value) => value === 2);
    await becomes("takes_messages", (value) => value === 1);
    await becomes("outbound_messages", (value) => value === 0);

    await bus.close();
    assert.deepEqual(
      [...(await read()).keys()].filter((name) => !name.startsWith("confirm_")),
      [],
      "a closed bus tells nothing",
    );
  },
);
