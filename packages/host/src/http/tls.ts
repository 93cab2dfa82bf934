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
import type { SecureContextOptions } from "node:tls";
import type { CancelTimer, Clock, Log } from "@banyan/kernel";
import { hostErrors } from "../errors.ts";

export interface TlsFileNames {
  readonly certFile: string;
  readonly keyFile: string;
}

export interface TlsFiles {
  /** The pair in force. */
  current(): SecureContextOptions;
  /** Tells of every new pair from now on. */
  watch(onChange: (context: SecureContextOptions) => void): void;
  close(): void;
}

/** How often the files are looked at. A renewal is rare and never urgent to the second. */
const pollMs = 1000;

/** @throws NODE_START_FAILED when the files cannot be read or do not fit together. */
export async function openTlsFiles(
  files: TlsFileNames,
  { clock, log }: { clock: Clock; log: Log },
): Promise<TlsFiles> {
  let pair = await readPair(files).catch((cause: unknown) => {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw hostErrors.NODE_START_FAILED(
      `The certificate ${resolve(files.certFile)} and the key ${resolve(files.keyFile)} cannot be ` +
        `used: ${reason}. Set http.tls.certFile and http.tls.keyFile to a pair of PEM files.`,
      { cause },
    );
  });
  let seen = await stampOf(files);
  let cancel: CancelTimer | undefined;
  let closed = false;

  const look = async (onChange: (context: SecureContextOptions) => void): Promise<void> => {
    try {
      // What cannot be looked at is a state like any other: told once, by the reading of it.
      const stamp = await stampOf(files).catch(() => "unreadable");
      if (stamp !== seen) {
        // Remembered first: a pair that does not fit is reported once, not every second.
        seen = stamp;
        pair = await readPair(files);
        if (closed) return;
        onChange(pair);
        log.info("certificate reloaded", { certFile: files.certFile });
      }
    } catch (error) {
      log.warn("certificate not reloaded; the old one stays in force", { error });
    }
    if (!closed) cancel = clock.setTimer(pollMs, () => void look(onChange));
  };

  return {
    current: () => pair,
    watch(onChange) {
      cancel = clock.setTimer(pollMs, () => void look(onChange));
    },
    close() {
      closed = true;
      cancel?.();
    },
  };
}

async function readPair({ certFile, keyFile }: TlsFileNames): Promise<SecureContextOptions> {
  const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
  // Throws when the key is not the certificate's.
  createSecureContext({ cert, key });
  return { cert, key };
}

async function stampOf({ certFile, keyFile }: TlsFileNames): Promise<string> {
  const stats = await Promise.all([stat(certFile), stat(keyFile)]);
  return stats.map(({ mtimeMs, size, ino }) => `${mtimeMs}/${size}/${ino}`).join(" ");
}
