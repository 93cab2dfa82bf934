import assert from "node:assert/strict";
import { test } from "node:test";
import { isBanyanError, silentLog, systemRandom } from "@banyan/kernel";
import { FakeClock } from "@banyan/testbed";
import { Outbound } from "./outbound.ts";
import { watchOutage } from "./outage-watch.ts";

const ageMaxMs = 1000;

/** A row of ten whose server never comes. */
function openRow() {
  const clock = new FakeClock();
  const failure = (): Error => new Error("It is away.");
  const prepare = async (): Promise<void> => undefined;
  const limits = { countMax: 10, bytesMax: 1000, ageMaxMs };
  const ports = { clock, random: systemRandom, log: silentLog };
  const outbound = new Outbound({ ...ports, ...limits, prepare, failure });
  const told: Error[] = [];
  const onOutage = (error: Error): void => void told.push(error);
  const end = watchOutage({ clock, outbound, ageMaxMs, failure, onOutage });
  const send = (count: number, forMs = Infinity, isRepeated = false): void => {
    for (let n = 0; n < count; n += 1) {
      outbound.send({
        exchange: "events",
        routingKey: "a.b",
        content: Buffer.from("{}"),
        properties: {},
        isRepeated,
        deadlineMs: clock.monotonicMs() + forMs,
        onEnd: () => undefined,
      });
    }
  };
  return { clock, outbound, told, end, send };
}

test("a message that waits longer than it may is told, once", async () => {
  const { clock, told, send } = openRow();
  await clock.advance(5000);
  send(1);
  await clock.advance(1000);
  assert.equal(told.length, 0);
  await clock.advance(200);
  assert.equal(told.length, 1);
  const [error] = told;
  assert.ok(isBanyanError(error, "RABBITMQ_OUTAGE"));
  assert.match(error.message, /^1 messages wait for RabbitMQ, which is away: the oldest for 1 s/);
  await clock.advance(60_000);
  assert.equal(told.length, 1);
});

test("a row that stays full is told though nothing in it is old", async () => {
  const { clock, outbound, told, send } = openRow();
  for (let round = 0; told.length === 0 && round < 10; round += 1) {
    // Those of the round before are withdrawn a moment later, and nobody misses them.
    send(9, 500, true);
    await clock.advance(400);
    assert.ok(outbound.oldestMs < ageMaxMs);
    assert.notEqual(outbound.refusal, undefined);
  }
  assert.equal(told.length, 1);
});

test("a row that was full has room again though nobody publishes", async () => {
  const { clock, outbound, told, send, end } = openRow();
  send(9, 300);
  assert.notEqual(outbound.refusal, undefined);
  await clock.advance(500);
  send(9, 300);
  await clock.advance(500);
  assert.equal(outbound.fullMs, 0);
  await clock.advance(5000);
  assert.deepEqual(told, []);
  send(1);
  end();
  await clock.advance(5000);
  assert.deepEqual(told, []);
});

test("a server that takes nothing is told though each publish leaves at its deadline", async () => {
  const { clock, outbound, told, send } = openRow();
  for (let round = 0; round < 5; round += 1) {
    assert.equal(told.length, 0);
    send(1, 150);
    await clock.advance(250);
    assert.deepEqual([outbound.size, outbound.fullMs], [0, 0]);
  }
  send(1, 150);
  await clock.advance(250);
  assert.ok(isBanyanError(told[0], "RABBITMQ_OUTAGE"));
  assert.match(told[0].message, /for 0 s no more were let in, and for 1 s it has taken none/);
});

test("who publishes no more, or only what is repeated anyway, is told of no outage", async () => {
  const { clock, told, send } = openRow();
  send(1, 150);
  await clock.advance(60_000);
  send(1, 150); // the first one was long ago
  for (let round = 0; round < 20; round += 1) {
    send(1, 150, true);
    await clock.advance(250);
  }
  assert.deepEqual(told, []);
});
