/** The exchanges that everything hangs on, and what is bound to them, should they be deleted. */

import type { Channel, ChannelModel } from "amqplib";
import type { Log } from "@banyan/kernel";
import type { Names } from "./names.ts";
import type { Group } from "./registry.ts";
import type { OpenSubscription } from "./subscription-host.ts";
import { declareBase, declareGroup, declareLive, isBaseWhole } from "./topology.ts";
import type { Waits } from "./waits.ts";

export interface BasePorts {
  readonly names: Names;
  readonly log: Log;
  readonly waits: Waits;
  readonly groups: () => Iterable<Group>;
  readonly subscriptions: () => Iterable<OpenSubscription>;
  /** @throws MESSAGING_UNAVAILABLE */
  readonly connection: () => ChannelModel;
}

export class Base {
  readonly #ports: BasePorts;
  #isNew = false;

  constructor(ports: BasePorts) {
    this.#ports = ports;
  }

  /** An exchange was not there and has been made: groups may not be bound to it. */
  get isNew(): boolean {
    return this.#isNew;
  }

  async declare(channel: Channel, connection: ChannelModel | undefined): Promise<void> {
    const { names } = this.#ports;
    const isWhole = connection === undefined || (await isBaseWhole(connection, names));
    if (!isWhole) this.#isNew = true;
    await declareBase(channel, names);
  }

  /** Exchanges were deleted by hand: before anything is published again, all is bound again. */
  async declareAll(): Promise<void> {
    const { names, log, waits, subscriptions } = this.#ports;
    const connection = this.#ports.connection();
    const groups = [...this.#ports.groups()];
    if (groups.length > 0) {
      log.error("what the bus publishes to was deleted; its groups are bound again");
    }
    await waits.declareAgain();
    for (const group of groups) await declareGroup(connection, names, group);
    for (const { spec, id } of subscriptions()) {
      const queue = names.live(spec.name, id);
      if (spec.delivery === "broadcast") await declareLive(connection, names, { queue, spec });
    }
    this.#isNew = false;
  }
}
