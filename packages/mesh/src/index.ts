/** The door of the mesh: its contract and the mesh of one process. */

export { meshErrors } from "./errors.ts";
export { createLocalMesh } from "./local.ts";
export type {
  ClientOptions,
  Endpoint,
  Mesh,
  OptionalClient,
  ProvidedService,
  Withdraw,
} from "./mesh.ts";
export type { LocalMeshOptions } from "./options.ts";
