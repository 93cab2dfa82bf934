/**
 * A registry out of addresses: whoever is there is connected to, and says what it is.
 *
 * What it owns: what each connected node said last, which node answered at which address.
 * What may interrupt it: the source of addresses, connections that open and end.
 *
 * G1. A node knows of another only what that one said itself, over their own connection.
 * G2. What was said holds while the connection lives, and for a lease after that.
 * G3. An address where nobody answers is tried again, after pauses that grow.
 * G4. Whose address is taken out is called no more, though the connection lives, until the address
 *     is back. Who is there at another address as well, or by another name, stays.
 */

import type { Clock, Log } from "@banyan/kernel";
import type { InstanceRecord, Mapping } from "./instance-record.ts";
import type { Registry } from "./registry.ts";
import { seedsMax } from "./read-only-registry.ts";
import type { ReadOnlyRegistry, Seed } from "./read-only-registry.ts";

export interface SeedRegistryPorts {
  /** This one. */
  readonly instance: string;
  readonly source: ReadOnlyRegistry;
  readonly clock: Clock;
  readonly log: Log;
  readonly lookMs: number;
  readonly leaseMs: number;
  readonly isConnected: (instance: string) => boolean;
  /** Connects to an address; answers who is there. @throws where that fails */
  readonly meet: (seed: Seed) => Promise<string>;
  /** Tells one node, or all that are connected, what this one is; nothing yet: `undefined`. */
  readonly tell: (record: InstanceRecord | undefined, to?: string) => void;
}

interface Heard {
  /** `undefined`: it runs nothing for others yet. */
  readonly record: InstanceRecord | undefined;
  readonly atMs: number;
}

interface Pause {
  readonly untilMs: number;
  readonly lengthMs: number;
}

const pauseMaxMs = 15_000;
/** Addresses that are tried at once. */
const meetingsMax = 32;

export class SeedRegistry implements Registry {
  readonly #ports: SeedRegistryPorts;
  readonly #heard = new Map<string, Heard>();
  /** By address: who answered there last. */
  readonly #met = new Map<string, string>();
  /** Addresses that the source has now. */
  #keys: ReadonlySet<string> = new Set();
  /** Addresses that it has no more, and who answered there, if anybody did (G4). */
  readonly #takenOut = new Map<string, string | undefined>();
  readonly #pauses = new Map<string, Pause>();
  readonly #meetings = new Map<string, Promise<void>>();
  /** Apps that addresses are said to be of, by who answered there. */
  readonly #appOf = new Map<string, string>();
  readonly #refused = new Set<string>();
  /** Told when something was heard. */
  readonly #waiting = new Set<() => void>();
  #own: InstanceRecord | undefined = undefined;
  #mapping: Mapping | undefined = undefined;
  #count = 0;
  #isFirst = true;

  constructor(ports: SeedRegistryPorts) {
    this.#ports = ports;
  }

  write(record: InstanceRecord): Promise<void> {
    this.#own = record;
    this.#ports.tell(record);
    return Promise.resolve();
  }

  async list(): Promise<readonly InstanceRecord[]> {
    if (this.#isFirst) await this.#introductions();
    this.#isFirst = false;
    this.#forgetOld();
    const records: InstanceRecord[] = this.#own === undefined ? [] : [this.#own];
    for (const { record } of this.#heard.values()) {
      if (record === undefined || !this.#isOfItsApp(record) || this.#isTakenOut(record)) continue;
      records.push(record);
    }
    return records;
  }

  /** Instances whose address was taken out (G4), this one included. */
  removed(): ReadonlySet<string> {
    const all = [this.#own, ...[...this.#heard.values()].map(({ record }) => record)];
    const there = all.filter((record) => record !== undefined);
    return new Set(
      there.filter((record) => this.#isTakenOut(record)).map(({ instance }) => instance),
    );
  }

  /** Looks for addresses, and connects to those that are new. @throws what the source throws */
  async changes(): Promise<number> {
    const { seeds, mapping } = await this.#ports.source.read();
    if (mapping !== this.#mapping) this.#count += 1;
    this.#mapping = mapping;
    const keys = new Set(seeds.map(keyOf));
    this.#takeOut(keys);
    for (const known of [this.#met, this.#pauses]) {
      for (const key of known.keys()) if (!keys.has(key)) known.delete(key);
    }
    for (const seed of seeds) this.#meetOnce(seed);
    this.#forgetOld();
    return this.#count;
  }

  /** The others were told by `write`; this node reads of itself as well. */
  changed(): Promise<void> {
    this.#count += 1;
    return Promise.resolve();
  }

  mapping(): Promise<Mapping | undefined> {
    return Promise.resolve(this.#mapping);
  }

  /** A connection to it is there: it is told what this node is. */
  linkOpened(instance: string): void {
    this.#ports.tell(this.#own, instance);
  }

  /** A node has said what it is. */
  heard(instance: string, record: InstanceRecord | undefined): void {
    if (instance === this.#ports.instance) return;
    const before = this.#heard.get(instance)?.record;
    this.#heard.set(instance, { record, atMs: this.#ports.clock.monotonicMs() });
    if (summaryOf(before) !== summaryOf(record)) this.#count += 1;
    for (const told of this.#waiting) told();
  }

  #takeOut(keys: ReadonlySet<string>): void {
    for (const [key, met] of this.#takenOut) {
      if (!keys.has(key)) continue;
      this.#takenOut.delete(key);
      // Its connection may have lived all the while.
      if (met !== undefined) this.#met.set(key, met);
      this.#count += 1;
    }
    for (const key of this.#keys) {
      if (keys.has(key)) continue;
      this.#takenOut.set(key, this.#met.get(key));
      this.#count += 1;
    }
    this.#keys = keys;
    this.#forgetTakenOut();
  }

  /** Nobody is heard of there any more: an address is needed no longer. The oldest go first. */
  #forgetTakenOut(): void {
    if (this.#takenOut.size <= seedsMax) return;
    const records = [...this.#heard.values()].map(({ record }) => record);
    const there = new Set(records.map((record) => (record === undefined ? "" : keyOf(record))));
    for (const [key, met] of this.#takenOut) {
      if (this.#takenOut.size <= seedsMax) return;
      const isHeard = there.has(key) || (met !== undefined && this.#heard.has(met));
      if (!isHeard) this.#takenOut.delete(key);
    }
  }

  #isTakenOut(record: InstanceRecord): boolean {
    const { instance } = record;
    const key = keyOf(record);
    if (this.#keys.has(key)) return false;
    for (const [at, met] of this.#met) if (met === instance && this.#keys.has(at)) return false;
    if (this.#takenOut.has(key)) return true;
    for (const met of this.#takenOut.values()) if (met === instance) return true;
    return false;
  }

  #meetOnce(seed: Seed): void {
    const key = keyOf(seed);
    const { clock, isConnected, instance: own } = this.#ports;
    const met = this.#met.get(key) ?? this.#knownAt(seed);
    if (met !== undefined && seed.app !== undefined) this.#appOf.set(met, seed.app);
    if (met === own || (met !== undefined && isConnected(met))) return;
    if (this.#meetings.has(key) || this.#meetings.size >= meetingsMax) return;
    if (clock.monotonicMs() < (this.#pauses.get(key)?.untilMs ?? 0)) return;
    const meeting = this.#meet(seed, key).finally(() => this.#meetings.delete(key));
    this.#meetings.set(key, meeting);
  }

  /** Never rejects. */
  async #meet(seed: Seed, key: string): Promise<void> {
    const { meet, clock, log, lookMs } = this.#ports;
    try {
      const instance = await meet(seed);
      // Whether it is taken out may depend on it.
      if (this.#met.get(key) !== instance) this.#count += 1;
      this.#met.set(key, instance);
      this.#pauses.delete(key);
      if (seed.app !== undefined) this.#appOf.set(instance, seed.app);
    } catch (error) {
      const before = this.#pauses.get(key);
      const lengthMs = Math.min(pauseMaxMs, (before?.lengthMs ?? lookMs / 2) * 2);
      this.#pauses.set(key, { untilMs: clock.monotonicMs() + lengthMs, lengthMs });
      if (before === undefined) {
        log.info("nobody of the mesh answers at an address yet", { address: key, error });
      }
    }
  }

  /** Who says that it is at this address. */
  #knownAt({ host, port }: Seed): string | undefined {
    for (const [instance, { record }] of this.#heard) {
      if (record?.host === host && record.port === port) return instance;
    }
    return undefined;
  }

  /** So that whoever begins knows who was there before: for a look at most. */
  async #introductions(): Promise<void> {
    const { clock, lookMs, instance } = this.#ports;
    const patience = Promise.withResolvers<void>();
    const cancel = clock.setTimer(lookMs, patience.resolve, { keepAlive: true });
    const look = (): void => {
      const others = [...this.#met.values()].filter((met) => met !== instance);
      if (this.#meetings.size === 0 && others.every((met) => this.#heard.has(met))) {
        patience.resolve();
      }
    };
    this.#waiting.add(look);
    void Promise.all(this.#meetings.values()).then(look);
    await patience.promise;
    this.#waiting.delete(look);
    cancel();
  }

  #forgetOld(): void {
    const { clock, leaseMs, isConnected } = this.#ports;
    const nowMs = clock.monotonicMs();
    for (const [instance, heard] of this.#heard) {
      if (isConnected(instance)) this.#heard.set(instance, { ...heard, atMs: nowMs });
      else if (nowMs - heard.atMs >= leaseMs) {
        this.#heard.delete(instance);
        this.#appOf.delete(instance);
        this.#refused.delete(instance);
        this.#count += 1;
      }
    }
  }

  #isOfItsApp({ instance, node, app }: InstanceRecord): boolean {
    const expected = this.#appOf.get(instance);
    if (expected === undefined || expected === app) return true;
    if (!this.#refused.has(instance)) {
      this.#refused.add(instance);
      this.#ports.log.warn("a node of another app answers where one was expected", {
        node,
        app,
        expected,
      });
    }
    return false;
  }
}

function keyOf({ host, port }: Seed): string {
  return `${host} ${port}`;
}

/** What others must read at once where it changes; a load alone is none of it. */
function summaryOf(record: InstanceRecord | undefined): string {
  if (record === undefined) return "";
  const { app, host, port, services, status, hasLeft } = record;
  return JSON.stringify([app, host, port, services, status, hasLeft === true]);
}
