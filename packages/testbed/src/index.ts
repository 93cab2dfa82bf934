/** The testbed's door: what tests and benches are made of. Never imported by what ships. */

export { FakeClock } from "./fake-clock.ts";
export type { FakeClockOptions, PendingTimer } from "./fake-clock.ts";
export { Child, spawnNode, spawnProgram } from "./child.ts";
export type {
  ChildExit,
  ChildOptions,
  NodeChildOptions,
  RandomKill,
  SignalOptions,
} from "./child.ts";
export type { FoundLine, OutputLine, WaitForLineOptions } from "./output-lines.ts";
export type { StoppedChild } from "./testpoint-gate.ts";
export { findFreePorts, freePort } from "./free-port.ts";
export { temporaryDirectory } from "./temporary-directory.ts";
export type { TemporaryDirectory } from "./temporary-directory.ts";
export { withTimeout } from "./with-timeout.ts";
export type { TimeoutOptions } from "./with-timeout.ts";
export { seedOf } from "./seed.ts";
export { createRecordingLog } from "./recording-log.ts";
export type { RecordedLine, RecordingLog } from "./recording-log.ts";
export { RawHttp } from "./raw-http.ts";
export type { RawAnswer } from "./raw-http.ts";
export { atProcessEnd } from "./process-end.ts";
export { openRedisServer, RedisServer } from "./redis-server.ts";
export type { RedisAddress, RedisServerOptions } from "./redis-server.ts";
export type { RedisAnswer } from "./redis-command.ts";
export { ensureRedisProgram, findRedisProgram } from "./redis-program.ts";
