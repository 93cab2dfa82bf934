/**
 * The names of keys. All keys of a scope share a hash tag: a Cluster keeps them in one slot.
 *
 *     banyan:{greeter}:visits:e:Ada    an entry
 *     banyan:{greeter}:visits:i        the index: every key of the store, in byte order
 *     banyan:{greeter}:visits:x        when those end that have a time to live
 *
 * Scope and name are percent-encoded: neither has a colon or a brace, so no two stores meet.
 */

import type { StoreName } from "@banyan/state";

export interface StoreKeys {
  /** `greeter.visits`, for messages. */
  readonly label: string;
  /** The scope as the hash tag holds it: what decides the slot. */
  readonly tag: string;
  readonly index: string;
  readonly expiring: string;
  /** Before the key of an entry. */
  readonly entries: string;
}

export function storeKeys(keyPrefix: string, { scope, name }: StoreName): StoreKeys {
  const tag = encodeURIComponent(scope);
  const base = `${keyPrefix}:{${tag}}:${encodeURIComponent(name)}:`;
  const label = `${scope}.${name}`;
  return { label, tag, index: `${base}i`, expiring: `${base}x`, entries: `${base}e:` };
}

const SLOTS = 16_384;
const polynomial = 0x1021;

/**
 * The slot of a hash tag: CRC-16/XMODEM modulo 16384 (Redis Cluster specification, "Hash tags").
 * Bit by bit: it is asked once for each store.
 */
export function slotOf(tag: string): number {
  let crc = 0;
  for (const byte of Buffer.from(tag)) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1) {
      crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ polynomial;
      crc &= 0xffff;
    }
  }
  return crc % SLOTS;
}
