/**
 * Certificates from files, read again when they change, so that a renewal needs no restart.
 *
 * The files are polled by their modification time: renewals replace links and whole folders, which
 * change notifications of the file system miss. A pair that does not fit together is reported and
 * the old one is kept.
 */

import { readFile, stat } from "node:fs/promises";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import type { CancelTimer, Clock, Log } from "@banyan/kernel";
import { hostErrors } from "../errors.ts";

export interface TlsFileNames {
  readonly certFile: string;
  readonly keyFile: string;
  /** Authority of those at the other end. */
  readonly caFile?: string | undefined;
}

/** Texts of PEM files. */
export interface TlsTexts {
  readonly cert: string;
  readonly key: string;
  readonly ca?: string | undefined;
}

export interface TlsFiles {
  /** Those in force. */
  current(): TlsTexts;
  /** Tells of what has changed from now on. */
  watch(onChange: (texts: TlsTexts) => void): void;
  close(): void;
}

export interface TlsFilesOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Section of the configuration that names them: `http.tls`. */
  readonly section: string;
}

/** How often the files are looked at. A renewal is rare and never urgent to the second. */
const pollMs = 1000;

/** @throws NODE_START_FAILED when the files cannot be read or do not fit together. */
export async function openTlsFiles(
  files: TlsFileNames,
  { clock, log, section }: TlsFilesOptions,
): Promise<TlsFiles> {
  const { certFile, keyFile, caFile } = files;
  const authority = caFile === undefined ? "" : `, with the authority ${resolve(caFile)},`;
  // Before they are read: what comes between is seen as a change.
  let seen = await stampOf(files).catch(() => "unreadable");
  let texts = await readTexts(files).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw hostErrors.NODE_START_FAILED(
      `The certificate ${resolve(certFile)} and the key ${resolve(keyFile)}${authority} cannot be ` +
        `used: ${reason}. Set ${section}.certFile and ${section}.keyFile to a pair of PEM files.`,
      { cause },
    );
  });
  let cancel: CancelTimer | undefined;
  let closed = false;

  const look = async (onChange: (texts: TlsTexts) => void): Promise<void> => {
    try {
      // What cannot be looked at is a state like any other: told once, by the reading of it.
      const stamp = await stampOf(files).catch(() => "unreadable");
      if (stamp !== seen) {
        // Remembered first: a pair that does not fit is reported once, not every second.
        seen = stamp;
        texts = await readTexts(files);
        if (closed) return;
        onChange(texts);
        log.info("certificate reloaded", { certFile: files.certFile });
      }
    } catch (error) {
      log.warn("certificate not reloaded; the old one stays in force", { error });
    }
    if (!closed) cancel = clock.setTimer(pollMs, () => void look(onChange));
  };

  return {
    current: () => texts,
    watch(onChange) {
      cancel = clock.setTimer(pollMs, () => void look(onChange));
    },
    close() {
      closed = true;
      cancel?.();
    },
  };
}

async function readTexts({ certFile, keyFile, caFile }: TlsFileNames): Promise<TlsTexts> {
  const read = (file: string): Promise<string> => readFile(file, "utf8");
  const [cert, key, ca] = await Promise.all([
    read(certFile),
    read(keyFile),
    caFile === undefined ? undefined : read(caFile),
  ]);
  // Throws when the key is not the certificate's.
  createSecureContext({ cert, key, ca });
  return { cert, key, ca };
}

async function stampOf({ certFile, keyFile, caFile }: TlsFileNames): Promise<string> {
  const files = [certFile, keyFile, ...(caFile === undefined ? [] : [caFile])];
  const stats = await Promise.all(files.map((file) => stat(file)));
  return stats.map(({ mtimeMs, size, ino }) => `${mtimeMs}/${size}/${ino}`).join(" ");
}
