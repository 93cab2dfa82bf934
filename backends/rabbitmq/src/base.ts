/**
 * The exchanges that everything hangs on, and what is bound to them, should they be deleted.
 *
 * What a message waits in hands it on by itself, so nobody is told when there is nothing to hand it
 * to: somebody must look.
 */

import type { Channel, ChannelModel } from "amqplib";
import type { CancelTimer, Clock, Log } from "@banyan/kernel";
import type { Names } from "./names.ts";
import type { Group } from "./registry.ts";
import { declareBase, declareGroup, isBaseWhole, withChannel } from "./topology.ts";
import type { Waits } from "./waits.ts";

/** Pause between two looks. */
const lookEveryMs = 1000;

export interface BasePorts {
  readonly clock: Clock;
  readonly names: Names;
  readonly log: Log;
  readonly waits: Waits;
  readonly groups: () => Iterable<Group>;
  readonly declareLives: (connection: ChannelModel) => Promise<void>;
  /** @throws MESSAGING_UNAVAILABLE */
  readonly connection: () => ChannelModel;
}

export class Base {
  readonly #ports: BasePorts;
  #isNew = false;
  #watched: ChannelModel | undefined = undefined;
  #cancelLook: CancelTimer | undefined = undefined;

  constructor(ports: BasePorts) {
    this.#ports = ports;
  }

  /** An exchange was not there and has been made: groups may not be bound to it. */
  get isNew(): boolean {
    return this.#isNew;
  }

  async declare(channel: Channel, connection: ChannelModel | undefined): Promise<void> {
    const { names } = this.#ports;
    const isWhole =
      connection === undefined ||
      (await withChannel(connection, (other) => isBaseWhole(other, names)));
    if (!isWhole) this.#isNew = true;
    await declareBase(channel, names);
  }

  /** Exchanges were deleted by hand: before anything is published again, all is bound again. */
  async declareAll(): Promise<void> {
    const { names, log, waits, declareLives } = this.#ports;
    const connection = this.#ports.connection();
    const groups = [...this.#ports.groups()];
    if (groups.length > 0) {
      log.error("what the bus publishes to was deleted; its groups are bound again");
    }
    await waits.declareAgain();
    for (const group of groups) await declareGroup(connection, names, group);
    await declareLives(connection);
    this.#isNew = false;
  }

  /** Looks again and again, on this connection, and makes what was deleted. */
  watch(connection: ChannelModel): void {
    this.down();
    this.#watched = connection;
    this.#lookLater(connection, undefined);
  }

  down(): void {
    this.#watched = undefined;
    this.#cancelLook?.();
  }

  #lookLater(connection: ChannelModel, channel: Channel | undefined): void {
    this.#cancelLook = this.#ports.clock.setTimer(
      lookEveryMs,
      () => void this.#look(connection, channel),
    );
  }

  async #look(connection: ChannelModel, kept: Channel | undefined): Promise<void> {
    const { names, log } = this.#ports;
    let channel = kept;
    try {
      channel ??= await openQuietly(connection);
      if (!(await isBaseWhole(channel, names))) {
        channel = undefined;
        await withChannel(connection, (other) => this.declare(other, connection));
        await this.declareAll();
      }
    } catch (error) {
      channel = undefined;
      if (this.#watched === connection) {
        log.error("what the bus publishes to could not be looked at and is tried again", { error });
      }
    }
    if (this.#watched === connection) this.#lookLater(connection, channel);
  }
}

async function openQuietly(connection: ChannelModel): Promise<Channel> {
  const channel = await connection.createChannel();
  channel.on("error", () => undefined); // told by what was asked
  return channel;
}
