/**
 * The house: who may import whom. This table is the architecture diagram; `ARCHITECTURE.md` draws
 * it, the `floors` rule holds it.
 *
 * A file may import only from a strictly lower floor. Siblings never import each other.
 */

export interface Room {
  /** Folder, with `*` for one path segment. */
  readonly folder: string;
  readonly floor: number;
  /** The highest floor it may import from, where that is not the one below its own. */
  readonly reach?: number;
  /** May use `@banyan/x/internal`, the sister packages' door. */
  readonly internal: boolean;
  /** Only tests and benches may import it. */
  readonly testsOnly?: true;
}

const rooms: readonly Room[] = [
  { folder: "packages/kernel", floor: 0, internal: true },
  { folder: "packages/telemetry", floor: 1, internal: true },
  { folder: "packages/access", floor: 1, internal: true },
  { folder: "packages/state", floor: 2, internal: true },
  { folder: "packages/messaging", floor: 3, internal: true },
  { folder: "packages/mesh", floor: 4, internal: true },
  { folder: "packages/host", floor: 5, internal: true },
  { folder: "packages/testbed", floor: 6, internal: true, testsOnly: true },
  { folder: "backends/*", floor: 6, reach: 4, internal: true },
  { folder: "services/state", floor: 6, internal: true },
  { folder: "services/messaging", floor: 6, internal: true },
  { folder: "services/mesh", floor: 6, internal: true },
  { folder: "services/*", floor: 6, internal: false },
  { folder: "apps/banyan", floor: 7, internal: true },
  { folder: "apps/*", floor: 7, internal: false },
  { folder: "examples/*", floor: 8, internal: false },
  { folder: "deploy/*", floor: 9, internal: false, testsOnly: true },
  { folder: "bench", floor: 9, internal: true, testsOnly: true },
  { folder: "tools", floor: 9, internal: true, testsOnly: true },
];

/** The room a file stands in, or `undefined` for the root's own files. */
export function roomOf(path: string): Room | undefined {
  return rooms.find((room) => folderOf(path, room) !== undefined);
}

/** The package folder of a file: `packages/kernel` for `packages/kernel/src/ids.ts`. */
export function packageFolderOf(path: string): string | undefined {
  const room = roomOf(path);
  return room === undefined ? undefined : folderOf(path, room);
}

function folderOf(path: string, room: Room): string | undefined {
  const wanted = room.folder.split("/");
  const found = path.split("/").slice(0, wanted.length);
  const fits = wanted.every((part, index) => part === "*" || part === found[index]);
  return fits && path.length > found.join("/").length ? found.join("/") : undefined;
}
