/** Certificates of the wire, read again when their files change. */

import type { Clock, Log } from "@banyan/kernel";
import type { PeerTls } from "@banyan/mesh";
import { openTlsFiles } from "./http/tls.ts";
import type { TlsTexts } from "./http/tls.ts";
import type { MeshConfig } from "./mesh-config.ts";

export interface MeshTls {
  current(): PeerTls;
  watch(onChange: (renewed: PeerTls) => void): void;
  close(): void;
}

/** @throws NODE_START_FAILED */
export async function openMeshTls(
  { serverName, mutual, ...names }: NonNullable<MeshConfig["tls"]>,
  ports: { readonly clock: Clock; readonly log: Log },
): Promise<MeshTls> {
  const files = await openTlsFiles(names, { ...ports, section: "mesh.tls" });
  const peerTls = ({ ca = "", ...pair }: TlsTexts): PeerTls => ({
    ...pair,
    ca,
    serverName,
    mutual,
  });
  return {
    current: () => peerTls(files.current()),
    watch: (onChange) => files.watch((texts) => onChange(peerTls(texts))),
    close: () => files.close(),
  };
}
