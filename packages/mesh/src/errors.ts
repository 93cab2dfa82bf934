/** The mesh's own error codes. What calls answer in general stands in the kernel's catalogue. */

import { defineErrors } from "@banyan/kernel";

export const meshErrors = defineErrors({
  MESH_SERVICE_DUPLICATE: {
    kind: "already_exists",
    summary: "A node provides each service once; another one of the same name is provided already.",
  },
  MESH_MESSAGE_TOO_LONG: {
    kind: "resource_exhausted",
    retryable: false,
    summary: "A request or an answer is longer than the mesh carries between nodes.",
  },
  MESH_OUTCOME_UNKNOWN: {
    kind: "unknown",
    summary:
      "The connection to the node that ran the call ended before its answer came. Whether its effects took place is not known; repeat it with an idempotency key.",
  },
  MESH_PEER_REFUSED: {
    kind: "permission_denied",
    summary:
      "A node was refused by another, or refused it: another cluster, a wrong secret, a certificate that is not trusted, or no common version.",
  },
  MESH_PEER_UNREACHABLE: {
    kind: "unavailable",
    summary: "A node of the mesh could not be connected to; it may be gone, or the network is cut.",
  },
  MESH_LISTEN_FAILED: {
    kind: "unavailable",
    summary: "The mesh cannot listen on its address: it is taken, or not this machine's.",
  },
  MESH_REGISTRY_INVALID: {
    kind: "invalid_argument",
    summary: "The file that lists the nodes of a fleet cannot be read, or is no such list.",
  },
  MESH_REGISTRY_UNAVAILABLE: {
    kind: "unavailable",
    summary: "Whoever knows the nodes of a fleet does not answer; what was known stays known.",
  },
  MESH_OPTIONS_INVALID: {
    kind: "invalid_argument",
    summary: "An option of the mesh is unknown or out of bounds; the message names it and the fix.",
  },
});
