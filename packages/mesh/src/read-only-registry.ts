/** Registries that nobody writes to: they know where nodes may be, and nothing else of them. */

import type { Mapping } from "./instance-record.ts";

/** Where a node may be. */
export interface Seed {
  readonly host: string;
  readonly port: number;
  /** Whoever answers there must be of this app. Left out: of any. */
  readonly app?: string | undefined;
}

export interface SeedList {
  /** In any order; the reader's own address may be among them. */
  readonly seeds: readonly Seed[];
  readonly mapping?: Mapping | undefined;
}

/**
 * A registry that is only read. What runs at an address, the nodes tell each other over their
 * connections, so each keeps one to every other: for tens of nodes, not for thousands.
 */
export interface ReadOnlyRegistry {
  readonly readOnly: true;
  /** What it says now. @throws why that is not known at the moment: what was known stays known */
  read(): Promise<SeedList>;
}

/** Addresses of one registry; more are refused. */
export const seedsMax = 1000;
