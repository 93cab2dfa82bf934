/** The sister packages' door: what a node and other buses are built with. */

export { createEventReader } from "./event-reader.ts";
export type { EventReader } from "./event-reader.ts";
export { describeFailure, isFinal } from "./failure.ts";
export { checkMessage } from "./message-check.ts";
export type { MessageChecks } from "./message-check.ts";
export { isTopic, isWildcard, resolveSubscribeSpec } from "./options.ts";
export type { ResolvedSubscribeSpec } from "./options.ts";
export { topicOf } from "./publisher.ts";
