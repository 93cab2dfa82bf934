/** Error codes of the bus and of typed events. */

import { defineErrors } from "@banyan/kernel";

export const messagingErrors = defineErrors({
  MESSAGING_MESSAGE_INVALID: {
    kind: "invalid_argument",
    summary:
      "A message cannot be published as it is: its id, topic, headers, or a body that is not JSON. Nothing of the batch was accepted.",
  },
  MESSAGING_BODY_TOO_LARGE: {
    kind: "invalid_argument",
    http: 413,
    summary:
      "A message body is larger than the bus takes. Publish a reference to the data, or raise `bodySizeMax`.",
  },
  MESSAGING_BUFFER_FULL: {
    kind: "resource_exhausted",
    summary:
      "A subscription held as many messages as it may until the publish timed out. `details` names it and says how many messages were accepted.",
  },
  MESSAGING_UNROUTED: {
    kind: "failed_precondition",
    summary:
      "Nobody subscribes to the topic of a message that was published as mandatory, so nobody has it. `details` names the topic and says how many messages before it were accepted.",
  },
  MESSAGING_CAPABILITY_MISSING: {
    kind: "unimplemented",
    summary:
      "The bus does not offer what was asked of it; `details.capability` names it. Choose an engine that declares it.",
  },
  MESSAGING_SUBSCRIPTION_INVALID: {
    kind: "invalid_argument",
    summary:
      "A subscription cannot be opened as it is: its name, topic, limits, handler, or an event its contract does not declare.",
  },
  MESSAGING_SUBSCRIPTION_CONFLICT: {
    kind: "failed_precondition",
    summary:
      "The group exists with another topic, or still has members. Choose another name, or close its members first.",
  },
  MESSAGING_EVENT_UNREADABLE: {
    kind: "invalid_argument",
    summary:
      "A received event does not fit what the subscriber's contract reads, also after upgrades; `issues` lists where. It became a dead letter at once.",
  },
  MESSAGING_DEAD_LETTER: {
    kind: "failed_precondition",
    summary:
      "A handler gave the message up for good; it became a dead letter without more retries.",
  },
  MESSAGING_LEASE_EXPIRED: {
    kind: "deadline_exceeded",
    summary:
      "A handler did not end within its subscription's `leaseMs`; it was aborted and the message counts as failed. Do less in one delivery, or raise `leaseMs`.",
  },
  MESSAGING_LEASE_LOST: {
    kind: "aborted",
    summary:
      "The process died ten times while it handled the message; it became a dead letter so that the others are handled. Find out why, then redrive it.",
  },
  MESSAGING_UNAVAILABLE: {
    kind: "unavailable",
    summary:
      "The bus cannot keep messages now: none was accepted, of a batch none but the first `details.accepted`. The cause is in the node's log. Try again later.",
  },
  MESSAGING_OUTCOME_UNKNOWN: {
    kind: "unknown",
    summary:
      "The bus failed while it wrote: whether the change took effect is not known. Publish again under the same event id if handlers deduplicate.",
  },
  MESSAGING_OPTIONS_INVALID: {
    kind: "failed_precondition",
    summary:
      "An option of the bus is unknown or out of its bounds; the nearest known one is named.",
  },
});
