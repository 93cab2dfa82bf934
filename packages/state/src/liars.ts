/**
 * Broken engines, each with one lie, to prove that the law catches it. Every liar is the memory
 * engine with one thing made wrong; most are mistakes that real backends have made.
 */

import { liarsAboutEtags } from "./liars/etag-liars.ts";
import { liarsAboutKeys } from "./liars/key-liars.ts";
import { liarsAboutLife } from "./liars/life-liars.ts";
import { liarsAboutTime } from "./liars/time-liars.ts";
import { liarsAboutValues } from "./liars/value-liars.ts";
import type { StateLiar } from "./liars/broken-engine.ts";

export type { StateLiar } from "./liars/broken-engine.ts";

/** Every liar; the law must break on each. */
export const stateLiars: readonly StateLiar[] = Object.freeze([
  ...liarsAboutEtags,
  ...liarsAboutKeys,
  ...liarsAboutTime,
  ...liarsAboutValues,
  ...liarsAboutLife,
]);
