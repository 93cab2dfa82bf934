/** The testbed's door: what tests and benches are made of. Never imported by what ships. */

export { FakeClock } from "./fake-clock.ts";
export type { FakeClockOptions, PendingTimer } from "./fake-clock.ts";
export { Child, spawnNode, spawnProgram } from "./child.ts";
export type {
  ChildExit,
  ChildOptions,
  ChildUser,
  NodeChildOptions,
  RandomKill,
  SignalOptions,
} from "./child.ts";
export type { FoundLine, OutputLine, WaitForLineOptions } from "./output-lines.ts";
export type { StoppedChild } from "./testpoint-gate.ts";
export { bareEnvironment } from "./bare-environment.ts";
export { findFreePorts, freePort } from "./free-port.ts";
export { temporaryDirectory } from "./temporary-directory.ts";
export type { TemporaryDirectory } from "./temporary-directory.ts";
export { until } from "./until.ts";
export type { UntilOptions } from "./until.ts";
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
export { openRedisCluster, RedisCluster } from "./redis-cluster.ts";
export type { RedisClusterOptions } from "./redis-cluster.ts";
export type { RedisAnswer } from "./redis-command.ts";
export { ensureRedisProgram, findRedisProgram, redisPrograms } from "./redis-program.ts";
export { ensurePrograms, findPrograms, findReasonToSkip } from "./required-programs.ts";
export type { RequiredPrograms } from "./required-programs.ts";
export { ServerProcess } from "./server-process.ts";
export type { ServerOptions } from "./server-process.ts";
export { openPrometheus, PrometheusServer } from "./prometheus-server.ts";
export type { PrometheusFiles, PrometheusOptions } from "./prometheus-server.ts";
export type { PrometheusRule, PrometheusSample, PrometheusTarget } from "./prometheus-answer.ts";
export { checkMetrics, checkRules, prometheusPrograms, testRules } from "./promtool.ts";
export type { PromtoolResult } from "./promtool.ts";
export { openPostgres, PostgresServer } from "./postgres-server.ts";
export type { PostgresAsk, PostgresOptions } from "./postgres-server.ts";
export { postgresPrograms } from "./postgres-data.ts";
export { createTestCertificates, opensslPrograms } from "./test-certificates.ts";
export type { CertificatePair, ServerTls, TestCertificates } from "./test-certificates.ts";
export { MariadbServer, openMariadb } from "./mariadb-server.ts";
export type { MariadbAsk, MariadbOptions } from "./mariadb-server.ts";
export { mariadbPrograms } from "./mariadb-data.ts";
export { openRabbitmq, RabbitmqServer } from "./rabbitmq-server.ts";
export type {
  RabbitmqAlarm,
  RabbitmqAsk,
  RabbitmqOptions,
  RabbitmqQueueOptions,
} from "./rabbitmq-server.ts";
export type { RabbitmqConnection, RabbitmqExchange, RabbitmqQueue } from "./rabbitmq-answer.ts";
export { rabbitmqPrograms } from "./rabbitmq-home.ts";
export { natsPrograms, NatsServer, openNats } from "./nats-server.ts";
export { openTcpProxy, TcpProxy } from "./tcp-proxy.ts";
export type { TcpProxyOptions, TcpTarget } from "./tcp-proxy.ts";
