/**
 * A publish that is committed with a transaction, or not at all.
 *
 * Its messages get their numbers when the engine takes the load, not before: the transaction may
 * wait a while, and numbers are to ascend in the order of the commits.
 */

import type { CommitRider } from "@banyan/state";
import type { BusJournal } from "./journal.ts";
import type { Parcel } from "./parcel.ts";
import { appendsOf } from "./parcel.ts";

export interface StagedInit {
  readonly medium: object;
  readonly journal: BusJournal | undefined;
  takeSeq(): number;
  deliver(parcel: Parcel): void;
}

export class StagedPublish implements CommitRider {
  readonly #parcels: readonly Parcel[];
  readonly #init: StagedInit;
  #load: unknown = undefined;
  #isLoaded = false;
  #isEnded = false;

  constructor(parcels: readonly Parcel[], init: StagedInit) {
    this.#parcels = parcels;
    this.#init = init;
  }

  get medium(): object {
    return this.#init.medium;
  }

  /** The same at every reading; numbered at the first. */
  get load(): unknown {
    if (this.#isLoaded) return this.#load;
    this.#number();
    const { journal } = this.#init;
    const appends = appendsOf(this.#parcels);
    if (journal === undefined || appends.length === 0) return undefined;
    for (const parcel of this.#parcels) parcel.handOver();
    this.#load = journal.loadOf(appends);
    return this.#load;
  }

  committed(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (!this.#isLoaded) this.#number();
    for (const parcel of this.#parcels) this.#init.deliver(parcel);
  }

  dropped(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    for (const parcel of this.#parcels) parcel.drop();
  }

  #number(): void {
    this.#isLoaded = true;
    for (const parcel of this.#parcels) parcel.seq = this.#init.takeSeq();
  }
}
