/** The area `telemetry`: what watching costs a call, and that nothing is paid where it is off. */

import type { Area } from "../area.ts";
import { watchedCalls } from "./watched-calls.ts";

export const telemetry: Area = { name: "telemetry", groups: [watchedCalls] };
