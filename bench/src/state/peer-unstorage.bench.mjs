// Subject: unstorage. Arguments: memory or redis, keys, path of the server's socket.
//
// On Redis with ioredis and its automatic pipelining, as our baseline has it; the driver hands the
// options on. Plain JavaScript: the declarations of unstorage do not pass a strict compiler.

import { createStorage } from "unstorage";
import memoryDriver from "unstorage/drivers/memory";
import redisDriver from "unstorage/drivers/redis";
import { serveMeasures } from "../subject.ts";
import { keyValueMeasures } from "./key-values.ts";

const [kind, keys, path] = process.argv.slice(2);
const driver =
  kind === "memory" ? memoryDriver() : redisDriver({ path, db: 2, enableAutoPipelining: true });
const storage = createStorage({ driver });

const store = {
  get: (key) => storage.getItem(key),
  set: (key, value) => storage.setItem(key, value),
  has: (key) => storage.hasItem(key),
  remove: (key) => storage.removeItem(key),
};
serveMeasures(await keyValueMeasures(store, Number(keys)));
