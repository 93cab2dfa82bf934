/**
 * Keeps the exchanges, and all that is bound to them, as they must be: an operator may delete them.
 *
 * K1. Who makes an exchange anew binds all groups to it, those of other nodes and those without
 *     members too: as soon as it knows them.
 */

import type { Channel, ChannelModel } from "amqplib";
import type { Log } from "@banyan/kernel";
import type { Names } from "./names.ts";
import type { Group } from "./registry.ts";
import type { OpenSubscription } from "./subscription-host.ts";
import { declareBase, declareGroup, declareLive, isBaseWhole, withChannel } from "./topology.ts";
import type { Waits } from "./waits.ts";

export interface TopologyKeeperPorts {
  readonly log: Log;
  readonly names: Names;
  readonly waits: Waits;
  readonly groups: () => Iterable<Group>;
  readonly subscriptions: () => Iterable<OpenSubscription>;
  /** The connection that declares. @throws where there is none */
  readonly connection: () => ChannelModel;
}

export class TopologyKeeper {
  readonly #ports: TopologyKeeperPorts;
  /** An exchange was not there and has been made: groups may not be bound to it. */
  #isNew = false;
  /** The registry was read once: its groups are known. */
  #isRead = false;

  constructor(ports: TopologyKeeperPorts) {
    this.#ports = ports;
  }

  /**
   * Declares what publishing takes.
   * @param isLost an exchange was not there, and with it its bindings are gone
   */
  async forPublishing(
    channel: Channel,
    connection: ChannelModel | undefined,
    isLost: boolean,
  ): Promise<void> {
    if (connection !== undefined) await this.#notice(connection);
    await declareBase(channel, this.#ports.names);
    if (isLost || (this.#isNew && this.#isRead)) await this.#bindAll();
  }

  /** Declares what consuming takes. */
  async forConsuming(connection: ChannelModel): Promise<void> {
    await this.#notice(connection);
    await withChannel(connection, (channel) => declareBase(channel, this.#ports.names));
  }

  /** The groups are known now. */
  async groupsKnown(): Promise<void> {
    this.#isRead = true;
    if (this.#isNew) await this.#bindAll();
  }

  async #notice(connection: ChannelModel): Promise<void> {
    if (!(await isBaseWhole(connection, this.#ports.names))) this.#isNew = true;
  }

  async #bindAll(): Promise<void> {
    const { log, names, waits } = this.#ports;
    const connection = this.#ports.connection();
    const groups = [...this.#ports.groups()];
    if (groups.length > 0) {
      log.error("what the bus publishes to was deleted; its groups are bound again");
    }
    await waits.declareAgain();
    for (const group of groups) await declareGroup(connection, names, group);
    for (const { spec, id } of this.#ports.subscriptions()) {
      const queue = names.live(spec.name, id);
      if (spec.delivery === "broadcast") await declareLive(connection, names, { queue, spec });
    }
    this.#isNew = false;
  }
}
