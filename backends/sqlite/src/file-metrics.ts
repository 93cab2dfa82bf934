/**
 * What a database file tells: how large groups of writes are, how long commits take, how much room
 * the file takes and how much is left.
 */

import { statfsSync, statSync } from "node:fs";
import { basename, dirname } from "node:path";
import type { Metrics } from "@banyan/telemetry";
import { storeBuckets } from "@banyan/telemetry/internal";
import type { AnsweredGroup, WriteQueue } from "./write-queue.ts";

export interface FileMetrics {
  onGroup(group: AnsweredGroup): void;
  /** Reads the queue's gauges and the room whenever somebody looks; the answer ends that. */
  watch(queue: WriteQueue): () => void;
}

export function createFileMetrics(metrics: Metrics, path: string): FileMetrics {
  const file = basename(path);
  const labels = ["file"] as const;
  const durations = metrics.histogram("banyan_sqlite_commit_duration_seconds", {
    help: "How long commits took, from BEGIN to what is on disk.",
    labels,
    buckets: storeBuckets,
  });
  const sizes = metrics.histogram("banyan_sqlite_commit_writes", {
    help: "Writes that shared one commit.",
    labels,
    buckets: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024],
  });
  const failures = metrics.counter("banyan_sqlite_failed_writes_total", {
    help: "Writes that the database file refused or whose outcome is not known.",
    labels,
  });
  const waiting = metrics.gauge("banyan_sqlite_writes_waiting", {
    help: "Writes that were handed over and are not answered yet.",
    labels,
  });
  const takesWrites = metrics.gauge("banyan_sqlite_takes_writes", {
    help: "1 while the file takes writes, 0 after one failed for a reason that lies with the file.",
    labels,
  });
  const [duration, size, failed] = [
    durations.with({ file }),
    sizes.with({ file }),
    failures.with({ file }),
  ];
  return {
    onGroup({ writes, failed: failedWrites, commits, commitMs }) {
      if (failedWrites > 0) failed.add(failedWrites);
      if (commits === 0) return;
      // A group is one commit, unless a write in it failed and it was taken apart.
      for (let commit = 0; commit < commits; commit += 1) {
        duration.record(Math.max(0, commitMs) / commits / 1e3);
        size.record(writes / commits);
      }
    },
    watch(queue) {
      const ends = [
        metrics.prepare("banyan_sqlite_writes_waiting", async () => {
          waiting.with({ file }).set(queue.waiting);
          const { stopped, lastFailure } = queue;
          takesWrites.with({ file }).set((stopped ?? lastFailure) === undefined ? 1 : 0);
        }),
        watchRoom(metrics, path),
      ];
      return () => {
        for (const end of ends) end();
      };
    },
  };
}

interface WatchedRoom {
  readonly paths: Set<string>;
  readonly end: () => void;
}

/** By registry: one reader tells the files of a node, so that one that is gone leaves no series. */
const rooms = new WeakMap<Metrics, WatchedRoom>();

/** Room taken and room left; the answer ends that for this file. */
function watchRoom(metrics: Metrics, path: string): () => void {
  const room = rooms.get(metrics) ?? observeRoom(metrics);
  rooms.set(metrics, room);
  room.paths.add(path);
  return () => {
    room.paths.delete(path);
    if (room.paths.size > 0 || rooms.get(metrics) !== room) return;
    rooms.delete(metrics);
    room.end();
  };
}

function observeRoom(metrics: Metrics): WatchedRoom {
  const paths = new Set<string>();
  const labels = ["file"] as const;
  const ends = [
    metrics.observe(
      "banyan_sqlite_file_bytes",
      { type: "gauge", help: "Size of the database file, and of its write-ahead log.", labels },
      () => [...paths].flatMap((path) => [path, `${path}-wal`].flatMap(sizeOf)),
    ),
    metrics.observe(
      "banyan_sqlite_disk_free_bytes",
      {
        type: "gauge",
        help: "Room left for the file's folder, as this process may use it.",
        labels,
      },
      () => [...paths].flatMap(freeFor),
    ),
  ];
  return {
    paths,
    end: () => {
      for (const end of ends) end();
    },
  };
}

interface FileBytes {
  readonly labels: { readonly file: string };
  readonly value: number;
}

function sizeOf(path: string): FileBytes[] {
  const found = statSync(path, { throwIfNoEntry: false });
  return found === undefined ? [] : [{ labels: { file: basename(path) }, value: found.size }];
}

function freeFor(path: string): FileBytes[] {
  const folder = dirname(path);
  if (statSync(folder, { throwIfNoEntry: false }) === undefined) return [];
  const { bavail, bsize } = statfsSync(folder);
  return [{ labels: { file: basename(path) }, value: bavail * bsize }];
}
