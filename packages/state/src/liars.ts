/**
 * Broken engines, each with one lie, to prove that the law catches it. Every liar is the memory
 * engine, or the late one, with one thing made wrong; most are mistakes that real backends made.
 */

import { liarsAboutEtags } from "./liars/etag-liars.ts";
import { liarsAboutKeys } from "./liars/key-liars.ts";
import { liarsAboutLife } from "./liars/life-liars.ts";
import { liarsAboutOperations } from "./liars/operation-liars.ts";
import { liarsAboutOrder } from "./liars/order-liars.ts";
import { liarsAboutOutboxes } from "./liars/outbox-liars.ts";
import { liarsAboutRevisions } from "./liars/revision-liars.ts";
import { liarsAboutTime } from "./liars/time-liars.ts";
import { liarsAboutTransactions } from "./liars/transaction-liars.ts";
import { liarsAboutValues } from "./liars/value-liars.ts";
import type { StateLiar } from "./liars/broken-engine.ts";

export type { StateLiar } from "./liars/broken-engine.ts";
export { openLateEngine } from "./liars/late-engine.ts";
export type { LateEngineOptions } from "./liars/late-engine.ts";
export { lockLiars } from "./liars/lock-liars.ts";
export type { LockLiar } from "./liars/lock-liars.ts";

/** Every liar; the law must break on each. */
export const stateLiars: readonly StateLiar[] = Object.freeze([
  ...liarsAboutEtags,
  ...liarsAboutKeys,
  ...liarsAboutTime,
  ...liarsAboutValues,
  ...liarsAboutOrder,
  ...liarsAboutRevisions,
  ...liarsAboutTransactions,
  ...liarsAboutOutboxes,
  ...liarsAboutOperations,
  ...liarsAboutLife,
]);
