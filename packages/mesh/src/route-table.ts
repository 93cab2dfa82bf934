/**
 * Which app a service is mapped to, and which instances an app has: level one changes seldom and
 * as a whole, level two is looked at for every call.
 *
 * What it owns: the mapping in force, the instances that are known.
 *
 * T1. A mapping is replaced as a whole, by one of a later epoch, or of the same epoch and a higher
 *     version; one that is older is dropped. Of two of the same version the later one read holds:
 *     the registry's word, which is the same for all.
 * T2. A service that no mapping names belongs to the default app.
 * T3. An instance that could not be reached is no candidate until its owner has renewed its record,
 *     or a connection to it is there again.
 * T4. Better a degraded instance than none: it is called where none that is up is left.
 */

import { isCompatibleVersion } from "@banyan/kernel/internal";
import type { InstanceRecord, Mapping } from "./instance-record.ts";

export const defaultApp = "banyan";

export const noMapping: Mapping = Object.freeze({ epoch: "", version: 0, apps: Object.freeze({}) });

/** Of a later epoch, or of the same one and a higher version. */
export function isNewer(one: Mapping, other: Mapping): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.version > other.version);
}

/** The newer of both; the first where they are as new. */
export function newerMapping(one: Mapping, other: Mapping): Mapping {
  return isNewer(other, one) ? other : one;
}

/** Of the same epoch and version, and yet another: somebody counted from what was lost. */
export function contradicts(one: Mapping, other: Mapping): boolean {
  if (one.epoch !== other.epoch || one.version !== other.version) return false;
  return textOf(one) !== textOf(other);
}

/** The same for the same content, in whichever order it lies. */
function textOf({ apps }: Mapping): string {
  const sorted = Object.entries(apps).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return JSON.stringify(sorted);
}

/** Who may be called. */
export interface Candidates {
  readonly up: readonly InstanceRecord[];
  /** Called where no other is left (T4). */
  readonly degraded: readonly InstanceRecord[];
}

export class RouteTable {
  readonly #except: string | undefined;
  #mapping = noMapping;
  #instances = new Map<string, InstanceRecord>();
  /** They could not be reached, with what they had renewed last until then. */
  readonly #excluded = new Map<string, number | undefined>();
  /** They have left, and may still be listed. */
  readonly #left = new Set<string>();
  /** Service, and version → who runs it, of its app, and takes calls. Made when asked for. */
  readonly #byService = new Map<string, Candidates>();

  /** @param except an instance that is no candidate: this one, where it calls itself in process */
  constructor(except?: string) {
    this.#except = except;
  }

  get mapping(): Mapping {
    return this.#mapping;
  }

  get instances(): Iterable<InstanceRecord> {
    return this.#instances.values();
  }

  /** Instances that could not be reached, and did not leave. */
  get unreached(): readonly string[] {
    return [...this.#excluded.keys()].filter((instance) => !this.#left.has(instance));
  }

  /** False: it is older than what is in force (T1). */
  replaceMapping(mapping: Mapping): boolean {
    const isTaken = isNewer(mapping, this.#mapping) || contradicts(mapping, this.#mapping);
    if (!isTaken) return false;
    this.#mapping = mapping;
    this.#byService.clear();
    return true;
  }

  /** All instances there are, as their owners wrote them. */
  replaceInstances(records: readonly InstanceRecord[]): void {
    const listed = new Set(records.map(({ instance }) => instance));
    for (const left of this.#left) if (!listed.has(left)) this.#left.delete(left);
    for (const { instance, renewedAtMs } of records) {
      const isNew = renewedAtMs === undefined || renewedAtMs !== this.#excluded.get(instance);
      if (isNew) this.#excluded.delete(instance);
    }
    for (const excluded of this.#excluded.keys()) {
      if (!listed.has(excluded)) this.#excluded.delete(excluded);
    }
    const there = records.filter(
      ({ instance }) => !this.#left.has(instance) && !this.#excluded.has(instance),
    );
    this.#instances = new Map(there.map((record) => [record.instance, record]));
    this.#byService.clear();
  }

  /** It cannot be reached: nobody is sent there until something new is heard of it (T3). */
  exclude(instance: string): void {
    const record = this.#instances.get(instance);
    if (record === undefined) return;
    this.#excluded.set(instance, record.renewedAtMs);
    this.#instances.delete(instance);
    this.#byService.clear();
  }

  /** A connection to it is there. */
  restore(record: InstanceRecord): void {
    const { instance } = record;
    this.#excluded.delete(instance);
    if (this.#left.has(instance) || this.#instances.has(instance)) return;
    this.#instances.set(instance, record);
    this.#byService.clear();
  }

  /** It has said that it leaves, which is for good: what is read of it later is older than that. */
  leaves(instance: string): void {
    this.#left.add(instance);
    this.exclude(instance);
  }

  hasLeft(instance: string): boolean {
    return this.#left.has(instance);
  }

  /** One or none. */
  find(instance: string): readonly InstanceRecord[] {
    const found = this.#instances.get(instance);
    return found === undefined ? [] : [found];
  }

  appOf(service: string): string {
    return this.#mapping.apps[service] ?? defaultApp;
  }

  /** Whether the mapping names another app than this one: what it does not name runs anywhere. */
  isPlacedElsewhere(service: string, app: string): boolean {
    return (this.#mapping.apps[service] ?? app) !== app;
  }

  /**
   * Instances that run the service and take calls.
   * @param built the version that the caller was built against: others of its kind are no
   *   candidates. Left out: any version.
   */
  candidates(service: string, built?: string): Candidates {
    const key = built === undefined ? service : `${service} ${built}`;
    const known = this.#byService.get(key);
    if (known !== undefined) return known;
    const app = this.appOf(service);
    const all = [...this.#instances.values()].filter(({ instance, app: own, services }) => {
      const version = Object.hasOwn(services, service) ? services[service] : undefined;
      if (own !== app || instance === this.#except || version === undefined) return false;
      return built === undefined || isCompatibleVersion(built, version);
    });
    const found = {
      up: all.filter(({ status }) => status === "up"),
      degraded: all.filter(({ status }) => status === "degraded"),
    };
    this.#byService.set(key, found);
    return found;
  }
}
