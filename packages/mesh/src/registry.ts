/** What a registry is to the nodes of a fleet that write there. */

import type { InstanceRecord, Mapping } from "./instance-record.ts";

/** What has changed in a registry. */
export interface RegistryNews {
  /** The counter now. */
  readonly count: number;
  /**
   * By instance; `undefined` for those that have none any more. Left out: it is not known who has
   * changed, since that was too many.
   */
  readonly records?: ReadonlyMap<string, unknown> | undefined;
}

/** Where records lie, under leases; a state store of the platform fits behind it. */
export interface Registry {
  /** Writes this instance's record, which is gone after `leaseMs` unless it is written again. */
  write(record: InstanceRecord, leaseMs: number): Promise<void>;
  /** All records there are, as they were written: what is no record is skipped by who reads. */
  list(): Promise<readonly unknown[]>;
  /** A number that differs whenever somebody came, left or changed. */
  changes(): Promise<number>;
  /** Somebody came, left or changed: these, or the mapping. */
  changed(instances?: readonly string[]): Promise<void>;
  /**
   * What has changed since the counter was at `count`, and the records of others that are asked
   * for. Left out: all is read by `list` whenever the counter has moved, which suits few nodes.
   */
  since?(count: number, also: readonly string[]): Promise<RegistryNews>;
  /** Services by app, where somebody has placed them. */
  mapping(): Promise<unknown>;
  /**
   * Puts back what was lost with the registry, unless what is there is as new. Left out: it is
   * written by somebody else.
   */
  place?(mapping: Mapping): Promise<void>;
}
