import assert from "node:assert/strict";
import { test } from "node:test";
import { connect } from "amqplib";
import {
  createRecordingLog,
  findReasonToSkip,
  openRabbitmq,
  rabbitmqPrograms,
} from "@banyan/testbed";
import { systemClock, systemRandom } from "@banyan/kernel";
import { Outbound } from "./outbound.ts";
import { QueueIntake } from "./queue-intake.ts";

const skip = await findReasonToSkip(rabbitmqPrograms);

test(
  "what waited for its notes when its channel ended is handed on to nobody",
  { skip },
  async () => {
    await using server = await openRabbitmq();
    await using stack = new AsyncDisposableStack();
    const connection = await connect(server.url);
    stack.defer(() => connection.close());
    const preparing = await connection.createConfirmChannel();
    await preparing.assertQueue("part", { durable: true });
    for (let n = 0; n < 5; n += 1)
      preparing.sendToQueue("part", Buffer.from("{}"), { messageId: `m${n}` });
    await preparing.waitForConfirms();
    // Taken once and given back: what comes then is looked up in the notes first.
    const before = await connection.createChannel();
    const taken = Promise.withResolvers<undefined>();
    let count = 0;
    await before.consume("part", () => {
      count += 1;
      if (count === 5) taken.resolve(undefined);
    });
    await taken.promise;
    await before.close();

    const said: string[] = [];
    const ended = Promise.withResolvers<undefined>();
    const intake = await QueueIntake.open(
      connection,
      { queue: "part", prefetch: 10, partition: { index: 0, notes: "part:notes" } },
      {
        outbound: new Outbound({
          clock: systemClock,
          random: systemRandom,
          log: createRecordingLog(),
          countMax: 10,
          bytesMax: 1000,
          ageMaxMs: 1000,
          prepare: () => Promise.resolve(),
          failure: () => new Error("not connected"),
        }),
        tag: "part",
        onMessage: () => said.push("handed on"),
        onClosed: () => {
          said.push("ended");
          ended.resolve(undefined);
        },
        onError: () => undefined,
      },
    );
    // The notes are asked for when the first one comes: the channel ends before they are read.
    intake.channel.emit("close");
    await ended.promise;
    await systemClock.sleep(300);
    assert.deepEqual(said, ["ended"]);
  },
);
