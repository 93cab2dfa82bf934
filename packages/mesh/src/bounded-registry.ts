/**
 * A registry whose calls end: whoever is silent for too long is away, and is asked again. A call
 * that was given up may still take effect, later than one that was made after it.
 */

import type { Clock } from "@banyan/kernel";
import { meshErrors } from "./errors.ts";
import type { Registry } from "./registry.ts";

export interface RegistryBounds {
  readonly clock: Clock;
  readonly limitMs: number;
}

/** Its calls throw what the registry throws, and MESH_REGISTRY_UNAVAILABLE. */
export function boundRegistry(registry: Registry, bounds: RegistryBounds): Registry {
  const within = <T>(call: Promise<T>): Promise<T> => endOf(call, bounds);
  const bounded: Registry = {
    write: (record, leaseMs) => within(registry.write(record, leaseMs)),
    list: () => within(registry.list()),
    changes: () => within(registry.changes()),
    changed: (instances) => within(registry.changed(instances)),
    mapping: () => within(registry.mapping()),
  };
  const { since, place } = registry;
  if (since !== undefined) {
    bounded.since = (count, also) => within(since.call(registry, count, also));
  }
  if (place !== undefined) bounded.place = (mapping) => within(place.call(registry, mapping));
  return bounded;
}

async function endOf<T>(call: Promise<T>, { clock, limitMs }: RegistryBounds): Promise<T> {
  const over = Promise.withResolvers<never>();
  const cancel = clock.setTimer(limitMs, () => {
    const why = `The registry of the mesh has not answered for ${limitMs} ms; it is asked again.`;
    over.reject(meshErrors.MESH_REGISTRY_UNAVAILABLE(why));
  });
  try {
    return await Promise.race([call, over.promise]);
  } finally {
    cancel();
  }
}
