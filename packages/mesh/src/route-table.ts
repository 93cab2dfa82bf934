/**
 * Which app a service is mapped to, and which instances an app has: level one changes seldom and
 * as a whole, level two is looked at for every call.
 *
 * What it owns: the mapping in force, the instances that are known.
 *
 * T1. A mapping is replaced as a whole, by one of a later epoch, or of the same epoch and a higher
 *     version; anything else is dropped.
 * T2. A service that no mapping names belongs to the default app.
 */

/** What a node says of itself; nobody else writes it. */
export interface InstanceRecord {
  /** Of this run of the node: it is never used again. */
  readonly instance: string;
  /** The node's id, which it may keep over its runs. */
  readonly node: string;
  readonly app: string;
  readonly host: string;
  readonly port: number;
  /** Services that run there, each with the version of its contract. */
  readonly services: Readonly<Record<string, string>>;
  /** `draining`: it takes no new calls. */
  readonly status: "up" | "draining";
}

/** Services by the app that runs them, pushed by whoever places them. */
export interface Mapping {
  /** Of whoever counts the versions; a new one, a text that is greater, begins a new count. */
  readonly epoch: string;
  readonly version: number;
  readonly apps: Readonly<Record<string, string>>;
}

export const defaultApp = "banyan";

const noMapping: Mapping = Object.freeze({ epoch: "", version: 0, apps: Object.freeze({}) });

/** Of a later epoch, or of the same one and a higher version. */
export function isNewer(one: Mapping, other: Mapping): boolean {
  return one.epoch > other.epoch || (one.epoch === other.epoch && one.version > other.version);
}

export class RouteTable {
  readonly #except: string | undefined;
  #mapping = noMapping;
  #instances = new Map<string, InstanceRecord>();
  /** They have left, and may still be listed. */
  readonly #left = new Set<string>();
  /** Service → who runs it, of its app, and takes calls. Made when it is asked for. */
  readonly #byService = new Map<string, readonly InstanceRecord[]>();

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

  /** False: it is older than what is in force (T1). */
  replaceMapping(mapping: Mapping): boolean {
    if (!isNewer(mapping, this.#mapping)) return false;
    this.#mapping = mapping;
    this.#byService.clear();
    return true;
  }

  /** All instances there are, as their owners wrote them. Answers those that are gone. */
  replaceInstances(records: readonly InstanceRecord[]): readonly InstanceRecord[] {
    const before = this.#instances;
    const listed = new Set(records.map(({ instance }) => instance));
    for (const left of this.#left) if (!listed.has(left)) this.#left.delete(left);
    const there = records.filter(({ instance }) => !this.#left.has(instance));
    this.#instances = new Map(there.map((record) => [record.instance, record]));
    this.#byService.clear();
    return [...before.values()].filter(({ instance }) => !this.#instances.has(instance));
  }

  /** It cannot be reached: nobody is sent there until it is read of again. */
  exclude(instance: string): void {
    if (this.#instances.delete(instance)) this.#byService.clear();
  }

  /** It has said that it leaves, which is for good: what is read of it later is older than that. */
  leaves(instance: string): void {
    this.#left.add(instance);
    this.exclude(instance);
  }

  appOf(service: string): string {
    return this.#mapping.apps[service] ?? defaultApp;
  }

  /** Instances that run the service and take calls. */
  candidates(service: string): readonly InstanceRecord[] {
    const known = this.#byService.get(service);
    if (known !== undefined) return known;
    const app = this.appOf(service);
    const found = [...this.#instances.values()].filter(
      ({ instance, app: own, status, services }) =>
        own === app &&
        status === "up" &&
        instance !== this.#except &&
        Object.hasOwn(services, service),
    );
    this.#byService.set(service, found);
    return found;
  }
}
