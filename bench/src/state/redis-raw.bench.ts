/**
 * Subject: ioredis with automatic pipelining, keeping the same information by hand: a hash of
 * value, etag and version for each entry, an index that gives order and count.
 * Arguments: path of the server's socket, keys.
 */

import { Redis } from "ioredis";
import { createEtagSource } from "@banyan/state";
import { keyAt, recordAt, uniformIndexes, uniformKeys } from "../embedded/records.ts";
import { callRate, numberOf, steadyRate } from "../rates.ts";
import { serveMeasures } from "../subject.ts";
import type { Figures, Question } from "../subject.ts";
import { keyValueMeasures } from "./key-values.ts";

const [path = "", count = "0"] = process.argv.slice(2);
const keys = Number(count);
const redis = new Redis({ path, db: 1, enableAutoPipelining: true });
const nextKey = uniformKeys(keys);
const nextIndex = uniformIndexes(keys);
const nextEtag = createEtagSource();
const index = "users:index";

const compareAndSet = `
if redis.call('HGET', KEYS[1], 'etag') ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'value', ARGV[3], 'etag', ARGV[2], 'version', '1')
redis.call('ZADD', KEYS[2], 0, ARGV[4])
return 1
`;
const sha = String(await redis.script("LOAD", compareAndSet));

interface Versioned {
  readonly value: unknown;
  readonly etag: string | null | undefined;
  readonly version: number;
}

async function get(key: string): Promise<Versioned> {
  const [value, etag, version] = await redis.hmget(`users:${key}`, "value", "etag", "version");
  return { value: JSON.parse(value ?? "null") as unknown, etag, version: Number(version) };
}

async function remove(key: string): Promise<boolean> {
  const [removed] = await Promise.all([redis.del(`users:${key}`), redis.zrem(index, key)]);
  return removed === 1;
}

async function set(key: string, value: unknown): Promise<string> {
  const etag = nextEtag();
  const fields = ["value", JSON.stringify(value), "etag", etag, "version", "1"];
  await Promise.all([redis.hset(`users:${key}`, ...fields), redis.zadd(index, 0, key)]);
  return etag;
}

const measures = await keyValueMeasures(
  {
    get: async (key) => (await get(key)).value,
    set,
    has: async (key) => (await redis.exists(`users:${key}`)) === 1,
    remove,
  },
  keys,
);
for (let at = 0; at < keys; at += 1) {
  await redis.set(`bare:${keyAt(at)}`, JSON.stringify(recordAt(at)));
}

/** Every caller has a key of its own, and names the etag that it wrote last. */
async function conditionalRate(question: Question): Promise<Figures> {
  const callers = Array.from({ length: numberOf(question, "inFlight") }, (_, at) => at);
  const etags = await Promise.all(callers.map((caller) => set(keyAt(caller), recordAt(caller))));
  const free = [...callers];
  return steadyRate(question, async () => {
    const caller = free.pop() ?? 0;
    const [key, etag] = [keyAt(caller), nextEtag()];
    const value = JSON.stringify(recordAt(nextIndex(), 1));
    const before = etags[caller] ?? "";
    const done = await redis.evalsha(sha, 2, `users:${key}`, index, before, etag, value, key);
    if (done !== 1) throw new Error("The etag did not fit.");
    etags[caller] = etag;
    free.push(caller);
    return 1;
  });
}

serveMeasures({
  ...measures,
  conditional: conditionalRate,
  bareGet: callRate(async () => {
    return JSON.parse((await redis.get(`bare:${nextKey()}`)) ?? "null") as unknown;
  }),
  bareSet: callRate(() => redis.set(`bare:${nextKey()}`, JSON.stringify(recordAt(nextIndex(), 1)))),
  close: () => {
    redis.disconnect();
    return {};
  },
});
