/** What a server of the testbed needs to speak TLS, where the server may read it. */

import { chown, copyFile } from "node:fs/promises";
import type { ChildUser } from "./child.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";
import type { CertificatePair, ServerTls } from "./test-certificates.ts";

export interface ServerTlsFiles extends CertificatePair {
  readonly ca: string;
}

/** Copies into the server's folder, as its user's own: some servers take no other key. */
export async function copyServerTls(
  { ca, server }: ServerTls,
  folder: TemporaryDirectory,
  user: ChildUser | undefined,
): Promise<ServerTlsFiles> {
  const copy = async (source: string, name: string): Promise<string> => {
    const path = folder.join(name);
    await copyFile(source, path);
    if (user !== undefined) await chown(path, user.uid, user.gid);
    return path;
  };
  return {
    ca: await copy(ca, "ca.crt"),
    certificate: await copy(server.certificate, "server.crt"),
    key: await copy(server.key, "server.key"),
  };
}
