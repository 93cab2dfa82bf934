/**
 * The link to one server.
 *
 * What it owns: one connection. What may interrupt it: the connection's state, told by `changed`.
 */

import type { Redis } from "ioredis";
import type { Waiting } from "@banyan/kernel";
import { RedisConnection } from "./connection.ts";
import { driverOptions, examineServer, placeName } from "./link.ts";
import type { LinkParts, RedisLink } from "./link.ts";
import { untilConnected } from "./until-connected.ts";
import type { RedisPlace } from "./options.ts";
import { Request } from "./request.ts";
import type { RedisQuestion, RedisReply } from "./request.ts";

/** @throws what `untilConnected` does, when the server is not there in time or is not fit */
export async function openSingleLink(place: RedisPlace, parts: LinkParts): Promise<RedisLink> {
  const link = new SingleLink(place, parts);
  try {
    await untilConnected(link, parts.options);
    return link;
  } catch (error) {
    link.abandon();
    throw error;
  }
}

class SingleLink implements RedisLink {
  readonly isCluster = false;
  readonly scripts;
  readonly connection: RedisConnection;
  onChange: () => void = () => undefined;
  readonly #parts: LinkParts;
  #seq = 0;

  constructor(place: RedisPlace, parts: LinkParts) {
    this.#parts = parts;
    this.scripts = parts.scripts;
    const name = placeName(place);
    const { options, scripts } = parts;
    this.connection = new RedisConnection({
      place: name,
      driver: driverOptions(place, options),
      options,
      scripts,
      examine: async (redis) => {
        const { evicts } = await examineServer(redis, name, false);
        if (evicts)
          options.log.warn("Redis drops entries when its memory is full", { place: name });
      },
      changed: () => this.onChange(),
    });
    this.connection.open();
  }

  get isReady(): boolean {
    return this.connection.isReady;
  }

  isReadyFor(): boolean {
    return this.isReady;
  }

  get failure() {
    return this.connection.failure;
  }

  ask(question: RedisQuestion, waiting: Waiting = {}): Promise<RedisReply> {
    const { clock, commandTimeoutMs } = this.#parts.options;
    const deadlineMs = clock.monotonicMs() + commandTimeoutMs;
    const request = new Request(question, { seq: (this.#seq += 1), deadlineMs }, waiting);
    this.connection.ask(request);
    return request.promise;
  }

  async check(waiting?: Waiting): Promise<void> {
    if (!this.connection.isReady) throw this.connection.failure;
    await this.ask({ name: "ping", args: [], writes: false }, waiting);
  }

  clients(): readonly Redis[] {
    return [this.connection.redis];
  }

  async close(): Promise<void> {
    await this.connection.close();
  }

  abandon(): void {
    this.connection.abandon();
  }
}
