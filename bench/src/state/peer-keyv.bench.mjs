// Subject: Keyv. Arguments: memory or redis, keys, path of the server's socket.
//
// As it comes: JSON in a Map; on Redis the client of the Redis project, which joins the commands of
// a turn by itself. Plain JavaScript: its declarations do not pass a strict compiler.

import { createKeyv } from "@keyv/redis";
import { Keyv } from "keyv";
import { serveMeasures } from "../subject.ts";
import { keyValueMeasures } from "./key-values.ts";

const [kind, keys, path] = process.argv.slice(2);
const keyv = kind === "memory" ? new Keyv() : createKeyv({ socket: { path }, database: 3 });

const store = {
  get: (key) => keyv.get(key),
  set: (key, value) => keyv.set(key, value),
  has: (key) => keyv.has(key),
  remove: (key) => keyv.delete(key),
};
serveMeasures(await keyValueMeasures(store, Number(keys)));
