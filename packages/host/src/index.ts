/** The door of the host: a node, and what is known of one before it starts. */

export { openNode } from "./node.ts";
export type { Node } from "./node.ts";
export { checkNode } from "./check-node.ts";
export type { NodeCheck } from "./check-node.ts";
export type {
  EngineModule,
  NodeDirectory,
  NodeOptions,
  OpenNodeDirectory,
  ServiceSource,
} from "./options.ts";
export type { NodePhase, PartHealth, Readiness } from "./health.ts";
export { nodeContract } from "./node-contract.ts";
export { nodeSections } from "./node-config.ts";
export type { NodeConfig } from "./node-config.ts";
export { exportContracts } from "./describe/export.ts";
export { openApiDocument } from "./describe/openapi.ts";
export { asyncApiDocument } from "./describe/asyncapi.ts";
export { exampleOf } from "./describe/example.ts";
export { adminTokenFile } from "./authority.ts";
export { createBackup } from "./backup.ts";
export type { BackupManifest, BackupOptions, BackupSource } from "./backup.ts";
export { hostErrors } from "./errors.ts";
