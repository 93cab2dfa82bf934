/** What goes between the engine and the file: plain data that could cross to another thread. */

/** Key, value as JSON text, etag, schema version. */
export type StoredRow = readonly [key: string, value: string, etag: string, version: number];

export interface WriteRow {
  readonly key: string;
  /** JSON text. */
  readonly value: string;
  readonly etag: string;
  readonly version: number;
  /** Wall clock in ms, `null` for never, or as it stands. */
  readonly expiresAt: number | null | "keep";
}

/** A write as data. `now` is the engine's clock: the file has no time of its own. */
export type WriteCommand =
  | { readonly kind: "openStore"; readonly scope: string; readonly name: string }
  | {
      readonly kind: "set";
      readonly store: number;
      readonly now: number;
      readonly row: WriteRow;
      readonly ifMatch: string | undefined;
      readonly ifAbsent: boolean;
    }
  | {
      readonly kind: "setMany";
      readonly store: number;
      readonly now: number;
      readonly rows: readonly WriteRow[];
    }
  | {
      readonly kind: "delete";
      readonly store: number;
      readonly now: number;
      readonly key: string;
      readonly ifMatch: string | undefined;
    }
  | {
      readonly kind: "deleteMany";
      readonly store: number;
      readonly now: number;
      readonly keys: readonly string[];
    }
  | { readonly kind: "sweep"; readonly now: number; readonly limit: number };

/** A page: its first key, the key it must not repeat (`""` for none), and where it ends. */
export interface ScanBounds {
  readonly store: number;
  readonly from: string;
  readonly after: string;
  readonly end: string | undefined;
  readonly now: number;
  readonly limit: number;
}
