/** A store whose operations are watched: how long each takes, how it ends, and where it belongs. */

import type {
  DeleteOptions,
  Entry,
  Etag,
  Page,
  Repeatable,
  ScanOptions,
  Waiting,
  WriteOptions,
} from "@banyan/kernel";
import type { OperationObserver, OperationWatch } from "@banyan/telemetry/internal";
import { TypedStore } from "./typed-store.ts";
import type { StoreCore } from "./store-core.ts";

const noOptions = Object.freeze({});

export class ObservedStore<V> extends TypedStore<V> {
  readonly #observer: OperationObserver;

  constructor(core: StoreCore<V>, observer: OperationObserver) {
    super(core);
    this.#observer = observer;
  }

  // By hand: where the engine answers at once, watching makes no promise of its own either.
  override async get(key: string, options: Waiting = noOptions): Promise<V | undefined> {
    const watch = this.#observer.begin("get");
    let value: V | undefined;
    try {
      const read = this.read(key, options);
      value = read instanceof Promise ? await read : read;
    } catch (error) {
      watch.ended(error);
      throw error;
    }
    watch.ended();
    return value;
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
    options?: Repeatable & { readonly ttlMs?: number | undefined },
  ): Promise<Etag[]> {
    const watch = this.#observer.begin("setMany");
    return watched(watch, super.setMany(entries, options));
  }

  override delete(key: string, options?: DeleteOptions): Promise<boolean> {
    const watch = this.#observer.begin("delete");
    return watched(watch, super.delete(key, options));
  }

  override deleteMany(keys: readonly string[], options?: Repeatable): Promise<number> {
    const watch = this.#observer.begin("deleteMany");
    return watched(watch, super.deleteMany(keys, options));
  }

  override scan(options?: ScanOptions): Promise<Page<V>> {
    const watch = this.#observer.begin("scan");
    return watched(watch, super.scan(options));
  }

  override count(options?: Waiting): Promise<number> {
    const watch = this.#observer.begin("count");
    return watched(watch, super.count(options));
  }

  override update(
    key: string,
    change: (current: V | undefined) => V,
    options?: Repeatable,
  ): Promise<V> {
    const watch = this.#observer.begin("update");
    return watched(watch, super.update(key, change, options));
  }
}

/** Handed on, not only looked at: a failure that nobody hears of must stay an unhandled one. */
async function watched<T>(watch: OperationWatch, answer: Promise<T>): Promise<T> {
  let value: T;
  try {
    value = await answer;
  } catch (error) {
    watch.ended(error);
    throw error;
  }
  watch.ended();
  return value;
}
