/**
 * What falls out of broadcasts that hold as much as they may. The server moves it into one queue of
 * the namespace; the nodes take it from there in turn and make a dead letter of each. So a
 * subscription has a queue of letters only once it has one, and the letter says what happened.
 *
 * What it owns: a channel, and what came on it and is no letter yet.
 * What may interrupt it: the connection, the server (the queue was deleted), the close.
 *
 * F1. A message is acknowledged only when its letter is confirmed: two letters rather than none.
 */

import type { ChannelModel, ConsumeMessage } from "amqplib";
import type { Clock, IdSource, Log } from "@banyan/kernel";
import type { DeadLetter } from "@banyan/messaging";
import { AckRow } from "./ack-row.ts";
import type { LetterWriter } from "./letter-writer.ts";
import { serverLetter } from "./letters.ts";
import type { Names } from "./names.ts";
import { declareOverflow } from "./topology.ts";

/** Letters on their way at once. */
const aheadMax = 64;

/** A queue that was deleted by hand is made again after this. */
const restorePauseMs = 100;

/** After the first of a burst is told, the others are told together. */
const burstMs = 10_000;

export interface OverflowDeskPorts {
  readonly clock: Clock;
  readonly ids: IdSource;
  readonly log: Log;
  readonly names: Names;
  readonly writer: LetterWriter;
  /** The queue for the letters of a subscription is not there: makes it. */
  readonly declareLetters: (name: string) => Promise<void>;
  /** A letter is kept; `id` tells one broadcast of the name from another. */
  readonly counted: (letter: DeadLetter, id: string) => void;
}

export class OverflowDesk {
  readonly #ports: OverflowDeskPorts;
  /** By subscription: letters since the last line of the log. */
  readonly #bursts = new Map<string, number>();
  #connection: ChannelModel | undefined = undefined;
  #isClosed = false;

  constructor(ports: OverflowDeskPorts) {
    this.#ports = ports;
  }

  /** Takes from the queue, on this connection. @throws what the server refuses */
  async up(connection: ChannelModel): Promise<void> {
    this.#connection = connection;
    const { names, log } = this.#ports;
    await declareOverflow(connection, names);
    const channel = await connection.createChannel();
    channel.on("error", (error) => log.warn("the overflow of broadcasts is read again", { error }));
    const acks = new AckRow(channel);
    let isReading = false;
    channel.on("close", () => {
      if (isReading) this.#upAgain(connection);
    });
    await channel.prefetch(aheadMax);
    await channel.consume(names.overflow, (delivered) => {
      if (delivered === null) void channel.close().catch(() => undefined);
      else this.#take(delivered, acks);
    });
    isReading = true;
  }

  down(): void {
    this.#connection = undefined;
  }

  /** What comes from now on stays where it is. */
  close(): void {
    this.#isClosed = true;
    this.#ports.writer.close();
  }

  #take(delivered: ConsumeMessage, acks: AckRow): void {
    if (this.#isClosed) return;
    const { clock, ids, log, names, writer, declareLetters, counted } = this.#ports;
    acks.delivered(delivered);
    const written = { id: ids.uuid(), deadAtMs: clock.nowMs() };
    const { letter, queue } = serverLetter(delivered, names.keyed, written);
    const live = names.liveOf(queue);
    if (live === undefined) {
      log.error("a message among the overflow of broadcasts is of none and is dropped", { queue });
      acks.acknowledge(delivered);
      return;
    }
    const { name, id } = live;
    const own: DeadLetter = { ...letter, subscription: name, delivery: "broadcast" };
    writer.write({
      letter: own,
      delivered,
      declareQueue: () => declareLetters(name),
      onTrouble: (error) => {
        const fields = { subscription: name, messageId: letter.message.id, error };
        log.error("a dead letter was not kept and is tried again", fields);
      },
      onEnd: (isSafe) => {
        if (!isSafe) return; // it comes again, here or elsewhere
        acks.acknowledge(delivered);
        counted(own, id);
        this.#tell(name);
      },
    });
  }

  #tell(name: string): void {
    const untold = this.#bursts.get(name);
    if (untold !== undefined) {
      this.#bursts.set(name, untold + 1);
      return;
    }
    this.#bursts.set(name, 0);
    this.#log(name, 1);
    this.#ports.clock.setTimer(burstMs, () => {
      const others = this.#bursts.get(name) ?? 0;
      this.#bursts.delete(name);
      if (others > 0) this.#log(name, others);
    });
  }

  #log(subscription: string, letters: number): void {
    this.#ports.log.error(
      "a broadcast holds as many messages as it may, and its oldest became dead letters",
      { subscription, letters },
    );
  }

  #upAgain(connection: ChannelModel): void {
    if (this.#connection !== connection || this.#isClosed) return;
    this.#ports.clock.setTimer(restorePauseMs, () => {
      if (this.#connection !== connection || this.#isClosed) return;
      this.up(connection).catch((error: unknown) => {
        this.#ports.log.error("the overflow of broadcasts cannot be read and is tried again", {
          error,
        });
        this.#upAgain(connection);
      });
    });
  }
}
