/** The area `state`: stores beside what a person would write by hand, and beside peers. */

import type { Area } from "../area.ts";
import { crowdedNode } from "./crowded-node.ts";
import { memoryStore } from "./memory.ts";
import { redisStore } from "./redis.ts";

export const state: Area = { name: "state", groups: [memoryStore, redisStore, crowdedNode] };
