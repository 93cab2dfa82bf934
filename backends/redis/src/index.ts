/** The door of the Redis backend. */

export { redisState } from "./provider.ts";
export { openRedis, redisClients } from "./redis-engine.ts";
export { resolveRedisOptions } from "./options.ts";
export type { RedisOptions, RedisPlace, RedisTls, ResolvedRedisOptions } from "./options.ts";
export { redisErrors } from "./errors.ts";
