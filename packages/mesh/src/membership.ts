/**
 * Which instances there are: each writes its own record, all read those of the others.
 *
 * What it owns: the record of this instance; what was read last.
 * What may interrupt it: the registry, which may be away for a while: what was known stays known.
 *
 * M1. Nobody writes another's record. A record lives as long as its lease, which its owner renews.
 * M2. Who comes, leaves or changes says so by a counter; only when that has moved is the list read
 *     again, and once in a lease, for those that were killed. So a node costs the registry one
 *     write and a few small reads in a heartbeat, however many nodes there are.
 *     What was not told, since the registry was away, is told with the next heartbeat.
 * M3. While the registry is away nobody is forgotten: connections tell who is gone.
 * M4. A registry that comes back without what was in it, or with a mapping older than one that was
 *     read, is told again at once: each instance of itself, all of the mapping that they know.
 * M5. Of two mappings of one version the registry's is in force, at all nodes; it is warned of.
 */

import type { CancelTimer, Clock, Log, Random } from "@banyan/kernel";
import { parseInstanceRecord, parseMapping } from "./instance-record.ts";
import type { InstanceRecord, Mapping } from "./instance-record.ts";
import { contradicts, isNewer } from "./route-table.ts";

/** Where records lie, under leases; a state store of the platform fits behind it. */
export interface Registry {
  /** Writes this instance's record, which is gone after `leaseMs` unless it is written again. */
  write(record: InstanceRecord, leaseMs: number): Promise<void>;
  /** All records there are, as they were written: what is no record is skipped by who reads. */
  list(): Promise<readonly unknown[]>;
  /** A number that differs whenever somebody came, left or changed. */
  changes(): Promise<number>;
  /** Somebody came, left or changed. */
  changed(): Promise<void>;
  /** Services by app, where somebody has placed them. */
  mapping(): Promise<unknown>;
  /**
   * Puts back what was lost with the registry, unless what is there is as new. Left out: it is
   * written by somebody else.
   */
  place?(mapping: Mapping): Promise<void>;
}

export interface MembershipPorts {
  readonly registry: Registry;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** How often a record is renewed; its lease is three times as long. */
  readonly heartbeatMs: number;
  /** How often the counter is looked at. */
  readonly lookMs: number;
  /** What this instance is at a heartbeat. A new status is told to the others. */
  readonly renew?: ((record: InstanceRecord) => InstanceRecord) | undefined;
  /** What was read. */
  readonly read: (records: readonly InstanceRecord[], mapping: Mapping | undefined) => void;
}

export const heartbeatsOfLease = 3;

export class Membership {
  readonly #ports: MembershipPorts;
  #record: InstanceRecord | undefined = undefined;
  #seen: number | undefined = undefined;
  #listedAtMs = -Infinity;
  #cancelBeat: CancelTimer | undefined = undefined;
  #cancelLook: CancelTimer | undefined = undefined;
  /** What fails at the moment. */
  readonly #failing = new Set<"read" | "write">();
  /** Something was written that the counter does not tell of yet. */
  #isUntold = false;
  #writtenAtMs = -Infinity;
  /** What was read last, in case it is lost. */
  #placed: Mapping | undefined = undefined;
  #hasSkipped = false;
  #isClosed = false;
  /** Writes go one after the other, so that the last word is the last. */
  #writing: Promise<void> = Promise.resolve();

  constructor(ports: MembershipPorts) {
    this.#ports = ports;
  }

  get lookMs(): number {
    return this.#ports.lookMs;
  }

  get leaseMs(): number {
    return this.#ports.heartbeatMs * heartbeatsOfLease;
  }

  /** Reads who is there, and goes on reading. @throws what the registry throws */
  async start(): Promise<void> {
    await this.#read();
    this.#lookLater();
    this.#beatLater();
  }

  /** Says what this instance is now; resolves when the others can read it. */
  async announce(record: InstanceRecord): Promise<void> {
    this.#record = record;
    this.#isUntold = true;
    await this.#write();
    await this.#tell();
  }

  /** Reads again at once: somebody said something, or could not be reached. */
  async refresh(): Promise<void> {
    await this.#read();
  }

  /** What this instance says of itself now. */
  get record(): InstanceRecord | undefined {
    return this.#record;
  }

  /** Says that this instance has left: for a lease, which all others read in. */
  async leave(): Promise<void> {
    const record = this.#record;
    this.#record = undefined;
    if (record === undefined) return;
    const { registry, clock } = this.#ports;
    await this.#writing.catch(() => undefined);
    const last = { ...record, status: "draining", hasLeft: true } as const;
    await registry.write({ ...last, renewedAtMs: clock.nowMs() }, this.leaseMs);
    await registry.changed();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelBeat?.();
    this.#cancelLook?.();
  }

  async #tell(): Promise<void> {
    this.#isUntold = false;
    try {
      await this.#ports.registry.changed();
    } catch (error) {
      this.#isUntold = true;
      throw error;
    }
  }

  async #beat(): Promise<void> {
    const { renew } = this.#ports;
    const before = this.#record;
    if (before === undefined) return;
    this.#record = renew?.(before) ?? before;
    if (this.#record.status !== before.status) this.#isUntold = true;
    await this.#write();
    if (this.#isUntold) await this.#tell();
  }

  #write(): Promise<void> {
    const { registry, clock } = this.#ports;
    const write = async (): Promise<void> => {
      const record = this.#record;
      if (record === undefined) return;
      await registry.write({ ...record, renewedAtMs: clock.nowMs() }, this.leaseMs);
      const nowMs = clock.monotonicMs();
      // The others may have forgotten it.
      if (nowMs - this.#writtenAtMs >= this.leaseMs) this.#isUntold = true;
      this.#writtenAtMs = nowMs;
    };
    this.#writing = this.#writing.then(write, write);
    return this.#writing;
  }

  #beatLater(): void {
    if (this.#isClosed) return;
    const { clock, random, heartbeatMs } = this.#ports;
    // Not all at once after a restart of the registry.
    const pauseMs = heartbeatMs * (0.8 + random.next() * 0.2);
    this.#cancelBeat = clock.setTimer(pauseMs, () => {
      this.#beat().then(
        () => this.#back("write"),
        (error: unknown) => this.#away("write", error),
      );
      this.#beatLater();
    });
  }

  #lookLater(): void {
    if (this.#isClosed) return;
    const { clock, random, lookMs } = this.#ports;
    this.#cancelLook = clock.setTimer(lookMs * (0.8 + random.next() * 0.2), () => {
      this.#look().then(
        () => this.#lookLater(),
        (error: unknown) => {
          this.#away("read", error);
          this.#lookLater();
        },
      );
    });
  }

  async #look(): Promise<void> {
    const { registry, clock } = this.#ports;
    const changes = await registry.changes();
    this.#back("read");
    const isOld = clock.monotonicMs() - this.#listedAtMs >= this.leaseMs;
    if (changes !== this.#seen || isOld) await this.#read();
  }

  async #read(): Promise<void> {
    const { registry, clock, read } = this.#ports;
    // The counter first: what changes while the list is read is read again.
    this.#seen = await registry.changes();
    const [records, mapping] = await Promise.all([registry.list(), registry.mapping()]);
    this.#listedAtMs = clock.monotonicMs();
    if (this.#isClosed) return;
    const placed = mapping === undefined ? undefined : parseMapping(mapping);
    const known = records.map(parseInstanceRecord).filter((record) => record !== undefined);
    this.#skipped(records.length - known.length + (mapping !== placed && !placed ? 1 : 0));
    this.#compare(placed);
    read(known, placed);
    await this.#restore(known, placed);
  }

  /** M4. */
  async #restore(records: readonly InstanceRecord[], placed: Mapping | undefined): Promise<void> {
    const { registry } = this.#ports;
    const own = this.#record;
    const known = this.#placed;
    const isLost = known !== undefined && (placed === undefined || isNewer(known, placed));
    if (!isLost) this.#placed = placed;
    else if (known.version > 0) await registry.place?.(known);
    if (own === undefined || this.#writtenAtMs === -Infinity) return;
    if (records.some(({ instance }) => instance === own.instance)) return;
    await this.#write();
    await this.#tell();
  }

  /** M5. */
  #compare(placed: Mapping | undefined): void {
    const known = this.#placed;
    if (placed === undefined || known === undefined || !contradicts(placed, known)) return;
    const { epoch, version, apps } = placed;
    this.#ports.log.warn(
      "two mappings of services have the same version; that of the registry is in force now",
      { epoch, version, apps, before: known.apps },
    );
  }

  /** Said once, and once more when it was mended in between. */
  #skipped(count: number): void {
    if (count > 0 && !this.#hasSkipped) {
      this.#ports.log.warn("the registry of the mesh holds what nobody can read; it is skipped", {
        count,
      });
    }
    this.#hasSkipped = count > 0;
  }

  #away(what: "read" | "write", error: unknown): void {
    if (this.#isClosed) return;
    const { log } = this.#ports;
    if (this.#failing.size === 0) {
      log.warn("the registry of the mesh is away; what was known stays known", { error });
    }
    this.#failing.add(what);
  }

  #back(what: "read" | "write"): void {
    if (!this.#failing.delete(what) || this.#failing.size > 0) return;
    this.#ports.log.info("the registry of the mesh is back");
  }
}
