/** A store whose operations are watched: how long each takes, how it ends, and where it belongs. */

import type {
  DeleteOptions,
  Entry,
  Etag,
  Page,
  ScanOptions,
  Waiting,
  WriteOptions,
} from "@banyan/kernel";
import type { OperationObserver, OperationWatch } from "@banyan/telemetry/internal";
import { TypedStore } from "./typed-store.ts";
import type { StoreCore } from "./typed-store.ts";

export class ObservedStore<V> extends TypedStore<V> {
  readonly #observer: OperationObserver;

  constructor(core: StoreCore<V>, observer: OperationObserver) {
    super(core);
    this.#observer = observer;
  }

  override get(key: string, options?: Waiting): Promise<V | undefined> {
    const watch = this.#observer.begin("get");
    return watched(watch, super.get(key, options));
  }

  override getEntry(key: string, options?: Waiting): Promise<Entry<V> | undefined> {
    const watch = this.#observer.begin("get");
    return watched(watch, super.getEntry(key, options));
  }

  override getMany(keys: readonly string[], options?: Waiting): Promise<Entry<V>[]> {
    const watch = this.#observer.begin("getMany");
    return watched(watch, super.getMany(keys, options));
  }

  override has(key: string, options?: Waiting): Promise<boolean> {
    const watch = this.#observer.begin("has");
    return watched(watch, super.has(key, options));
  }

  override set(key: string, value: V, options?: WriteOptions): Promise<Etag> {
    const watch = this.#observer.begin("set");
    return watched(watch, super.set(key, value, options));
  }

  override setMany(
    entries: readonly (readonly [key: string, value: V])[],
    options?: Waiting & { readonly ttlMs?: number | undefined },
  ): Promise<Etag[]> {
    const watch = this.#observer.begin("setMany");
    return watched(watch, super.setMany(entries, options));
  }

  override delete(key: string, options?: DeleteOptions): Promise<boolean> {
    const watch = this.#observer.begin("delete");
    return watched(watch, super.delete(key, options));
  }

  override deleteMany(keys: readonly string[], options?: Waiting): Promise<number> {
    const watch = this.#observer.begin("deleteMany");
    return watched(watch, super.deleteMany(keys, options));
  }

  override scan(options?: ScanOptions): Promise<Page<V>> {
    const watch = this.#observer.begin("scan");
    return watched(watch, super.scan(options));
  }

  override update(
    key: string,
    change: (current: V | undefined) => V,
    options?: Waiting,
  ): Promise<V> {
    const watch = this.#observer.begin("update");
    return watched(watch, super.update(key, change, options));
  }
}

/** Handed on, not only looked at: a failure that nobody hears of must stay an unhandled one. */
function watched<T>(watch: OperationWatch, answer: Promise<T>): Promise<T> {
  return answer.then(
    (value) => {
      watch.ended();
      return value;
    },
    (error: unknown) => {
      watch.ended(error);
      throw error;
    },
  );
}
