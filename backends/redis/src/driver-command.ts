/**
 * A command as the driver's queue takes it, without what the driver's own would add: a promise for
 * each, copies of the arguments, transformers. Answers come inside the driver's reading, in order.
 *
 * Without a reply it does not end: what was sent on a socket that is gone, the connection loses.
 *
 * The driver names the arguments of a command in the error it makes of a refusal; here they are
 * left out, because they hold what users store.
 */

import { ReplyError } from "ioredis";
import type { Redis } from "ioredis";
import type { RedisQuestion, RedisReply } from "./request.ts";

/** What the text of a turn is gathered in. */
export interface CommandSink {
  write(part: string): void;
}

const WRITTEN_AT_ONCE = 1 << 20; // characters

/** Called once: with a reply, or with what the server said instead. */
type Ending = (reply: RedisReply, error?: unknown) => void;

export class DriverCommand {
  readonly name: string;
  readonly args: readonly string[] = [];
  readonly promise = undefined;
  /** The driver's diagnostics channel waits for promises. */
  readonly isTraced = true;
  readonly #question: RedisQuestion;
  readonly #end: Ending;

  constructor(question: RedisQuestion, end: Ending) {
    this.name = question.name;
    this.#question = question;
    this.#end = end;
  }

  /** Into the sink; the driver waits for the reply on its own socket. */
  send(redis: Redis, sink: CommandSink): void {
    // As much of the driver's own command and of a stream as it asks for.
    redis.sendCommand(this as never, sink as never);
  }

  /** RESP 2: an array of bulk strings. What is answered is the end of it: no text is endless. */
  toWritable(sink: CommandSink): string {
    const { name, args } = this.#question;
    let text = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`;
    for (const arg of args) {
      text += `$${Buffer.byteLength(arg)}\r\n${arg}\r\n`;
      if (text.length < WRITTEN_AT_ONCE) continue;
      sink.write(text);
      text = "";
    }
    return text;
  }

  resolve(reply: unknown): void {
    this.#end(textOf(reply));
  }

  reject(error: unknown): void {
    if (error instanceof ReplyError) this.#end(null, error);
  }
}

/** The driver reads texts as buffers. */
function textOf(reply: unknown): RedisReply {
  if (Buffer.isBuffer(reply)) return reply.toString("utf8");
  if (Array.isArray(reply)) return reply.map(textOf);
  return reply as RedisReply; // RESP 2 has nothing else but integers and null
}
