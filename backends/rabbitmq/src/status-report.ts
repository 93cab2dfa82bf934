/** What the bus says of itself. It answers also while the server does not. */

import type { Clock } from "@banyan/kernel";
import type { OutboundStatus, SubscriptionStatus } from "@banyan/messaging";
import type { Admission } from "./admission.ts";
import type { GroupDesk } from "./group-desk.ts";
import { GroupView } from "./group-view.ts";
import { inTime } from "./in-time.ts";
import type { Inspector, QueueDepth } from "./inspector.ts";
import type { Names } from "./names.ts";
import type { Outbound } from "./outbound.ts";
import type { Group, Registry } from "./registry.ts";
import type { OpenSubscription } from "./subscription-host.ts";
import type { WaitsCensus } from "./waits-census.ts";

/** How long a status waits for the server. */
const statusMaxMs = 1000;

export interface StatusPorts {
  readonly clock: Clock;
  readonly names: Names;
  readonly registry: Registry;
  readonly admission: Admission;
  readonly inspector: Inspector;
  readonly desk: GroupDesk;
  readonly census: WaitsCensus;
  readonly subscriptions: () => Iterable<OpenSubscription>;
}

export class StatusReport {
  readonly #ports: StatusPorts;

  constructor(ports: StatusPorts) {
    this.#ports = ports;
  }

  /** Every group of the fleet, and the broadcasts of this process. */
  subscriptions(): Promise<readonly SubscriptionStatus[]> {
    const { registry, subscriptions } = this.#ports;
    const groups = [...registry.groups].map((group) => this.#ofGroup(group));
    const lives = [...subscriptions()]
      .filter(({ spec }) => spec.delivery === "broadcast")
      .map((subscription) => this.#ofLive(subscription));
    return Promise.all([...groups, ...lives]);
  }

  async #ofGroup(group: Group): Promise<SubscriptionStatus> {
    const { name, topic } = group;
    const view = this.#ports.admission.view(name) ?? new GroupView(group);
    const { ready, consumers } = await this.#depthOf(group, view);
    const counts = this.#countsOf(view, ready);
    const elsewhere = this.#ports.census.elsewhere(group.life);
    const retrying = counts.retrying + elsewhere.retrying;
    const delayed = counts.delayed + elsewhere.delayed;
    return { name, topic, delivery: "group", members: consumers, ...counts, retrying, delayed };
  }

  async #ofLive({ spec, id, view }: OpenSubscription): Promise<SubscriptionStatus> {
    const { clock, inspector, names } = this.#ports;
    const { name, topic } = spec;
    const asking = inspector.depth(names.live(name, id));
    const depth = await inTime(clock, asking, statusMaxMs).catch(() => undefined);
    const counts = this.#countsOf(view, depth?.ready ?? 0);
    return { name, topic, delivery: "broadcast", members: 1, ...counts };
  }

  #countsOf(view: GroupView, buffered: number) {
    const { running, retrying, delayed, handled, retried, deadLettered, newestMs } = view;
    const ageMs = buffered === 0 || newestMs === 0 ? 0 : this.#ports.clock.nowMs() - newestMs;
    const lagMs = Math.max(0, ageMs);
    return { buffered, running, retrying, delayed, lagMs, handled, retried, deadLettered };
  }

  /** As the server says; while it says nothing, what this process knows itself. */
  async #depthOf(group: Group, view: GroupView): Promise<QueueDepth> {
    const { clock, desk, census, subscriptions } = this.#ports;
    try {
      return await inTime(clock, desk.depthOf(group), statusMaxMs);
    } catch {
      const own = [...subscriptions()].filter(
        ({ spec }) => spec.delivery === "group" && spec.name === group.name,
      );
      const { retrying, delayed } = census.elsewhere(group.life);
      const waiting = view.sentToWait + retrying + delayed;
      const ready = Math.max(0, view.held - view.taken - waiting);
      return { ready, consumers: own.length };
    }
  }
}

export function outboundStatus(outbound: Outbound, limit: number): OutboundStatus {
  const { size, unconfirmed, bytes, oldestMs, blocked, takes } = outbound;
  const waiting = size - unconfirmed;
  return { connected: takes, waiting, unconfirmed, bytes, oldestMs, limit, blocked };
}
