/** The door of the mesh: its contract, the mesh of one process and that of a fleet. */

export { dnsRegistry } from "./dns-registry.ts";
export type { DnsRegistryOptions } from "./dns-registry.ts";
export { meshErrors } from "./errors.ts";
export { fileRegistry } from "./file-registry.ts";
export type { FileRegistryOptions } from "./file-registry.ts";
export { createLocalMesh } from "./local.ts";
export type {
  ClientOptions,
  Endpoint,
  Mesh,
  OptionalClient,
  ProvidedService,
  Withdraw,
} from "./mesh.ts";
export type { LoadFigures } from "./load-meter.ts";
export type { Registry, RegistryNews } from "./registry.ts";
export { openFleet } from "./open-fleet.ts";
export type { Fleet, FleetOptions } from "./open-fleet.ts";
export type { LocalMeshOptions } from "./options.ts";
export type { RemoteOperation } from "./remote-endpoint.ts";
export type { InstanceRecord, Mapping } from "./instance-record.ts";
export { defaultApp, newerMapping } from "./route-table.ts";
export { placeServices, registryOn } from "./store-registry.ts";
export type { RegistryEntry } from "./store-registry.ts";
export type { ReadOnlyRegistry, Seed, SeedList } from "./read-only-registry.ts";
export type { FleetNews, LeaveReason } from "./roster.ts";
export type { HealthReport } from "./status-watch.ts";
export type { PeerTls } from "./wire/peers.ts";
