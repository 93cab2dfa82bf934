/**
 * Who is in the fleet, as this node knows it: by what the registry lists and by what connections
 * say; and the news of it.
 *
 * What it owns: the instances that are known, those that cannot be reached.
 * What may interrupt it: lists, connections that end and open, in any order.
 *
 * R1. Each instance joins once and leaves once, whatever says so first; one that could not be
 *     reached and is connected again has joined again.
 * R2. An instance whose record is gone, while its connection lives, is there: it is the registry
 *     that has missed its heartbeats. A connection that is silent does not live for long.
 * R3. A connection that ends proves nothing alone. It is opened again; where that fails, whoever
 *     left in order has the time of a look to be read of. Then it is unreachable.
 * R4. Of nodes that have read the same list one tells: who leaves tells of that itself, of all
 *     else tells the instance of the least id that does not drain.
 * R5. Whoever the registry does not want there any more has left for all others, though it is
 *     connected; it takes no part in the telling, and its own farewell is no second news.
 */

import type { CancelTimer, Clock, Log } from "@banyan/kernel";
import type { InstanceRecord } from "./instance-record.ts";
import type { RouteTable } from "./route-table.ts";

/** Why an instance has left. */
export type LeaveReason =
  /** It said so. */
  | "graceful"
  /** Its lease is over: it was killed, or cut off. */
  | "expired"
  /** Its connection has ended and cannot be opened again, while its record lives. */
  | "unreachable"
  /** Its address was taken out of a registry that is only read. */
  | "removed";

/** What has become of an instance. */
export interface FleetNews {
  readonly kind: "joined" | "left" | "degraded" | "recovered";
  /** As it was read last. */
  readonly record: InstanceRecord;
  /** Of `left`. */
  readonly reason?: LeaveReason | undefined;
  /** True at one node of those that know the same: whoever passes it on does so there. */
  readonly isTeller: boolean;
}

export interface RosterPorts {
  /** This one. */
  readonly instance: string;
  readonly table: RouteTable;
  readonly clock: Clock;
  readonly log: Log;
  /** Milliseconds in which whoever left in order is read of. */
  readonly graceMs: number;
  /** There is a connection to it, which is not silent. */
  readonly isConnected: (instance: string) => boolean;
  /** Opens one. @throws where that fails */
  readonly dial: (record: InstanceRecord) => Promise<unknown>;
  /** It is not known any more. */
  readonly forget: (instance: string) => void;
  readonly onNews: ((news: FleetNews) => void) | undefined;
}

export class Roster {
  readonly #ports: RosterPorts;
  #known = new Map<string, InstanceRecord>();
  /** Of these the registry has a record. */
  #listed: ReadonlySet<string> = new Set();
  /** Not wanted there any more (R5). */
  #removed: ReadonlySet<string> = new Set();
  /** Told as left, and still listed. */
  readonly #unreachable = new Set<string>();
  /** Being called again; later what ends their time of grace. */
  readonly #suspects = new Map<string, CancelTimer | undefined>();
  /** What was there before this node is no news. */
  #isFirst = true;
  #hasLeft = false;
  #isClosed = false;

  constructor(ports: RosterPorts) {
    this.#ports = ports;
  }

  /** Who is there, those included that drain. */
  instances(): readonly InstanceRecord[] {
    const { table } = this.#ports;
    const there = [...this.#known.values()].filter(({ instance }) => {
      // Whoever says goodbye is there until it is done.
      return table.hasLeft(instance) || table.find(instance).length > 0;
    });
    return there.map((record) =>
      table.hasLeft(record.instance) ? { ...record, status: "draining" } : record,
    );
  }

  /**
   * The registry was read.
   * @param removed instances that it does not want there any more, connected or not
   */
  read(records: readonly InstanceRecord[], removed: ReadonlySet<string> = new Set()): void {
    const before = this.#known;
    const { instance: own, table, forget, isConnected } = this.#ports;
    const there = records.filter(({ hasLeft }) => hasLeft !== true);
    const saidFarewell = new Set(
      records.filter(({ hasLeft }) => hasLeft === true).map(({ instance }) => instance),
    );
    this.#removed = removed;
    this.#listed = new Set(there.map(({ instance }) => instance));
    this.#known = new Map(there.map((record) => [record.instance, record]));
    for (const [instance, record] of before) {
      if (this.#listed.has(instance) || saidFarewell.has(instance)) continue;
      const isHere = instance === own && !this.#hasLeft;
      const isConnectedStill = isConnected(instance) && !removed.has(instance);
      if (isHere || isConnectedStill) this.#known.set(instance, record); // R2
    }
    table.replaceInstances([...this.#known.values()]);
    const news = this.#isFirst ? [] : this.#changesSince(before, saidFarewell);
    this.#isFirst = false;
    for (const [instance] of before) if (!this.#known.has(instance)) forget(instance);
    this.#tell(news);
  }

  /** It says that it takes no new calls. */
  leaves(instance: string): void {
    this.#ports.table.leaves(instance);
  }

  /** The connection to it has ended. */
  linkClosed(instance: string): void {
    const { table, instance: own } = this.#ports;
    const record = instance === own ? undefined : this.#known.get(instance);
    if (this.#isClosed || record === undefined || table.hasLeft(instance)) return;
    table.exclude(instance);
    if (this.#suspects.has(instance) || this.#unreachable.has(instance)) return;
    this.#suspects.set(instance, undefined);
    void this.#callAgain(record);
  }

  /** There is a connection to it, by whichever side. */
  linkOpened(instance: string): void {
    const record = this.#known.get(instance);
    if (record === undefined) return;
    this.#ports.table.restore(record);
    if (this.#unreachable.delete(instance)) this.#tell([{ kind: "joined", record }]);
  }

  /** This instance is about to leave: it tells of that itself (R4). */
  farewell(record: InstanceRecord): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#known.delete(record.instance);
    const isTeller = !this.#removed.has(record.instance); // else it was told of before (R5)
    this.#say({ kind: "left", record, reason: "graceful", isTeller });
  }

  close(): void {
    this.#isClosed = true;
    for (const cancel of this.#suspects.values()) cancel?.();
    this.#suspects.clear();
  }

  /** Never rejects. */
  async #callAgain(record: InstanceRecord): Promise<void> {
    const { dial, clock, graceMs } = this.#ports;
    const { instance } = record;
    try {
      await dial(record); // whoever hears of the connection restores it
      this.#suspects.delete(instance);
    } catch {
      // Why not does not matter: it is told by whether it is heard of until then.
      if (this.#isClosed) return;
      this.#suspects.set(
        instance,
        clock.setTimer(graceMs, () => this.#giveUp(instance)),
      );
    }
  }

  #giveUp(instance: string): void {
    const { isConnected, table, forget } = this.#ports;
    this.#suspects.delete(instance);
    const record = this.#known.get(instance);
    if (record === undefined || isConnected(instance)) return;
    table.exclude(instance);
    const isListed = this.#listed.has(instance);
    if (isListed) this.#unreachable.add(instance);
    else {
      this.#known.delete(instance);
      forget(instance);
    }
    this.#tell([{ kind: "left", record, reason: isListed ? "unreachable" : "expired" }]);
  }

  #changesSince(
    before: ReadonlyMap<string, InstanceRecord>,
    saidFarewell: ReadonlySet<string>,
  ): Omit<FleetNews, "isTeller">[] {
    const news: Omit<FleetNews, "isTeller">[] = [];
    for (const [instance, record] of before) {
      if (this.#known.has(instance)) continue;
      const wasTold = this.#unreachable.delete(instance) || instance === this.#ports.instance;
      const isRemoved = this.#removed.has(instance);
      const reason = saidFarewell.has(instance) ? "graceful" : isRemoved ? "removed" : "expired";
      if (!wasTold) news.push({ kind: "left", record, reason });
    }
    for (const [instance, record] of this.#known) {
      const was = before.get(instance);
      if (was === undefined) {
        news.push({ kind: "joined", record });
        if (record.status === "degraded") news.push({ kind: "degraded", record });
        continue;
      }
      if (was.status === record.status || this.#unreachable.has(instance)) continue;
      if (record.status === "degraded") news.push({ kind: "degraded", record });
      else if (was.status === "degraded" && record.status === "up") {
        news.push({ kind: "recovered", record });
      }
    }
    return news;
  }

  #tell(news: readonly Omit<FleetNews, "isTeller">[]): void {
    if (news.length === 0) return;
    const isLeast = this.#teller() === this.#ports.instance;
    for (const one of news) this.#say({ ...one, isTeller: isLeast && one.reason !== "graceful" });
  }

  /** The instance of the least id; one that drains only where all do. */
  #teller(): string | undefined {
    const there = [...this.#known.values()].filter(
      ({ instance }) => !this.#unreachable.has(instance) && !this.#removed.has(instance),
    );
    const staying = there.filter(({ status }) => status !== "draining");
    const ids = (staying.length > 0 ? staying : there).map(({ instance }) => instance);
    let least = ids[0];
    for (const id of ids) if (least !== undefined && id < least) least = id;
    return least;
  }

  #say(news: FleetNews): void {
    const { log, onNews } = this.#ports;
    const { kind, reason, record } = news;
    const { instance, node, issues } = record;
    const isBad = kind === "degraded" || reason === "expired" || reason === "unreachable";
    // `node` is who writes the line.
    const fields = { instance, peer: node, ...(kind === "left" ? { reason } : {}) };
    if (isBad) log.warn(messages[kind], kind === "degraded" ? { ...fields, issues } : fields);
    else log.info(messages[kind], fields);
    try {
      onNews?.(news);
    } catch (error) {
      log.error("news of the fleet could not be passed on", { error });
    }
  }
}

const messages = {
  joined: "an instance has joined the fleet",
  left: "an instance has left the fleet",
  degraded: "an instance of the fleet is degraded",
  recovered: "an instance of the fleet is well again",
} as const;
