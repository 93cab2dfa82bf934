/**
 * Which instances there are: each writes its own record, all read those of the others.
 *
 * What it owns: the record of this instance; what was read last.
 * What may interrupt it: the registry, which may be away for a while: what was known stays known.
 *
 * M1. Nobody writes another's record. A record lives as long as its lease, which its owner renews.
 * M2. Who comes, leaves or changes says so by a counter, and who it was: only their records are
 *     read again. Who was killed says nothing: whoever reads a list without it says so for it. All
 *     nodes of a fleet together read lists in which so many records stand in a second, each node
 *     the seldomer the more there are, in a small fleet once in a lease.
 *     What was not told, since the registry was away, is told with the next heartbeat.
 * M3. While the registry is away nobody is forgotten: connections tell who is gone.
 * M4. A registry that comes back without what was in it, or with a mapping older than one that was
 *     read, is told again at once: each instance of itself, all of the mapping that they know.
 * M5. A call of the registry that is silent for a lease has failed. No heartbeat is written while
 *     another one is under way, and one write stands for all that wait for it.
 * M6. Of two mappings of one version the registry's is in force, at all nodes; it is warned of.
 * M7. Of two reads that overlap the one that began later is known, whichever ends first.
 */

import type { CancelTimer, Clock, Log, Random } from "@banyan/kernel";
import { boundRegistry } from "./bounded-registry.ts";
import { parseInstanceRecord, parseMapping } from "./instance-record.ts";
import type { InstanceRecord, Mapping } from "./instance-record.ts";
import type { Registry, RegistryNews } from "./registry.ts";
import { contradicts, isNewer } from "./route-table.ts";

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
  /** Instances whose records are read again in each lease: they may be back. */
  readonly doubted?: (() => readonly string[]) | undefined;
  /** What was read. */
  readonly read: (records: readonly InstanceRecord[], mapping: Mapping | undefined) => void;
}

export const heartbeatsOfLease = 3;
/** Records in the lists that a whole fleet reads, where lists are read only for the killed. */
const listedPerSecond = 3000;

export class Membership {
  readonly #ports: MembershipPorts;
  readonly #registry: Registry;
  /** As read last, by instance. */
  #listed = new Map<string, InstanceRecord>();
  #mapping: unknown = undefined;
  #doubtedAtMs = -Infinity;
  /** From then on the list is read though nothing is told. */
  #listAtMs = -Infinity;
  #isBeating = false;
  #record: InstanceRecord | undefined = undefined;
  #seen: number | undefined = undefined;
  #listedAtMs = -Infinity;
  /** Reads that have begun; of them the last whose answer was taken. */
  #begun = 0;
  #taken = 0;
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
  /** It has not begun yet. */
  #nextWrite: Promise<void> | undefined = undefined;

  constructor(ports: MembershipPorts) {
    this.#ports = ports;
    const { registry, clock } = ports;
    this.#registry = boundRegistry(registry, { clock, limitMs: this.leaseMs });
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
    const { clock } = this.#ports;
    const registry = this.#registry;
    await this.#writing.catch(() => undefined);
    const last = { ...record, status: "draining", hasLeft: true } as const;
    await registry.write({ ...last, renewedAtMs: clock.nowMs() }, this.leaseMs);
    await registry.changed([record.instance]);
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelBeat?.();
    this.#cancelLook?.();
  }

  async #tell(): Promise<void> {
    this.#isUntold = false;
    try {
      await this.#registry.changed(this.#record === undefined ? [] : [this.#record.instance]);
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
    const { clock } = this.#ports;
    const registry = this.#registry;
    const write = async (): Promise<void> => {
      this.#nextWrite = undefined;
      const record = this.#record;
      if (record === undefined) return;
      await registry.write({ ...record, renewedAtMs: clock.nowMs() }, this.leaseMs);
      const nowMs = clock.monotonicMs();
      // The others may have forgotten it.
      if (nowMs - this.#writtenAtMs >= this.leaseMs) this.#isUntold = true;
      this.#writtenAtMs = nowMs;
    };
    if (this.#nextWrite !== undefined) return this.#nextWrite; // it will say the same
    this.#writing = this.#writing.then(write, write);
    this.#nextWrite = this.#writing;
    return this.#writing;
  }

  #beatLater(): void {
    if (this.#isClosed) return;
    const { clock, random, heartbeatMs } = this.#ports;
    // Not all at once after a restart of the registry.
    const pauseMs = heartbeatMs * (0.8 + random.next() * 0.2);
    this.#cancelBeat = clock.setTimer(pauseMs, () => {
      this.#beatLater();
      if (this.#isBeating) return; // M5
      this.#isBeating = true;
      const beat = this.#beat().finally(() => (this.#isBeating = false));
      beat.then(
        () => this.#back("write"),
        (error: unknown) => this.#away("write", error),
      );
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
    const { clock, heartbeatMs } = this.#ports;
    const registry = this.#registry;
    const seen = this.#seen ?? -1;
    const turn = this.#begin();
    const news: RegistryNews =
      registry.since === undefined
        ? await this.#movedSince(seen)
        : await registry.since(seen, this.#toDoubt());
    this.#back("read");
    const nowMs = clock.monotonicMs();
    if (nowMs >= this.#listAtMs) return this.#read();
    if (news.records === undefined) {
      // Where so much changes, all read all: not at every look, unless the registry is new.
      const isMuch = registry.since !== undefined && news.count >= seen;
      return isMuch && nowMs - this.#listedAtMs < heartbeatMs ? undefined : this.#read();
    }
    const isMoved = news.count !== seen;
    if (!isMoved && news.records.size === 0) return undefined;
    const mapping = isMoved ? await registry.mapping() : this.#mapping;
    if (this.#isOld(turn)) return undefined;
    this.#mapping = mapping;
    this.#seen = news.count;
    for (const [instance, value] of news.records) {
      const record = parseInstanceRecord(value);
      if (record === undefined) this.#listed.delete(instance);
      else this.#listed.set(instance, record);
    }
    const lost = this.#tookIn(this.#mapping);
    if (lost !== undefined) await registry.place?.(lost);
    return undefined;
  }

  /** Of a registry that does not say who has changed. */
  async #movedSince(seen: number): Promise<RegistryNews> {
    const count = await this.#registry.changes();
    return { count, records: count === seen ? new Map() : undefined };
  }

  #toDoubt(): readonly string[] {
    const { clock, doubted } = this.#ports;
    const nowMs = clock.monotonicMs();
    if (doubted === undefined || nowMs - this.#doubtedAtMs < this.leaseMs) return [];
    this.#doubtedAtMs = nowMs;
    return doubted();
  }

  async #read(): Promise<void> {
    const registry = this.#registry;
    const turn = this.#begin();
    // The counter first: what changes while the list is read is read again.
    const count = await registry.changes();
    const [records, mapping] = await Promise.all([registry.list(), registry.mapping()]);
    if (this.#isOld(turn)) return;
    this.#seen = count;
    this.#listedAtMs = this.#ports.clock.monotonicMs();
    this.#listAtMs = this.#listedAtMs + this.#pauseOf(records.length);
    if (this.#isClosed) return;
    const known = records.map(parseInstanceRecord).filter((record) => record !== undefined);
    const isMapping = mapping === undefined || parseMapping(mapping) !== undefined;
    this.#skipped(records.length - known.length + (isMapping ? 0 : 1));
    const before = this.#listed;
    this.#listed = new Map(known.map((record) => [record.instance, record]));
    this.#mapping = mapping;
    const gone = [...before.keys()].filter((instance) => !this.#listed.has(instance));
    const lost = this.#tookIn(mapping);
    await this.#restore(
      known.map(({ instance }) => instance),
      lost,
    );
    if (registry.since !== undefined && gone.length > 0) await registry.changed(gone); // M2
  }

  #begin(): number {
    this.#begun += 1;
    return this.#begun;
  }

  /** What was read is older than what is known (M7); if not, it is what is known. */
  #isOld(turn: number): boolean {
    if (turn < this.#taken) return true;
    this.#taken = turn;
    return false;
  }

  /** Until the list is read again: longer in a great fleet, and then not for all at once. */
  #pauseOf(count: number): number {
    if (this.#registry.since === undefined) return this.leaseMs;
    const moreMs = Math.max(0, (count * count * 1000) / listedPerSecond - this.leaseMs);
    return this.leaseMs + moreMs * (0.5 + this.#ports.random.next());
  }

  /** Passes on what is known now; answers the mapping that the registry has lost. */
  #tookIn(mapping: unknown): Mapping | undefined {
    if (this.#isClosed) return undefined;
    const placed = mapping === undefined ? undefined : parseMapping(mapping);
    this.#compare(placed);
    this.#ports.read([...this.#listed.values()], placed);
    // A farewell is read once.
    for (const [instance, { hasLeft }] of this.#listed) {
      if (hasLeft === true) this.#listed.delete(instance);
    }
    const known = this.#placed;
    const isLost = known !== undefined && (placed === undefined || isNewer(known, placed));
    if (!isLost) this.#placed = placed;
    return isLost && known.version > 0 ? known : undefined;
  }

  /** M4. */
  async #restore(listed: readonly string[], lost: Mapping | undefined): Promise<void> {
    if (lost !== undefined) await this.#registry.place?.(lost);
    const own = this.#record;
    if (own === undefined || this.#writtenAtMs === -Infinity) return;
    if (listed.includes(own.instance)) return;
    await this.#write();
    await this.#tell();
  }

  /** M6. */
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
