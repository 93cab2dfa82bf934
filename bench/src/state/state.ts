/** The area `state`: stores on servers of their own, beside what a person would write by hand. */

import type { Area } from "../area.ts";
import { redisStore } from "./redis.ts";

export const state: Area = { name: "state", groups: [redisStore] };
