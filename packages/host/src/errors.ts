/** What a node can answer or fail with, besides the pipeline's own codes. */

import { defineErrors } from "@banyan/kernel";

export const hostErrors = defineErrors({
  NODE_START_REFUSED: {
    kind: "failed_precondition",
    summary:
      "The node does not start: configuration, services or engines are wrong. Every offence is listed with its place and its fix.",
  },
  NODE_START_FAILED: {
    kind: "unavailable",
    summary:
      "A service or an engine failed while the node started; what had started was stopped again.",
    retryable: false,
  },
  NODE_STARTING: {
    kind: "unavailable",
    summary: "The node is starting and takes no calls yet. Try again in a moment.",
  },
  NODE_UNKNOWN: {
    kind: "not_found",
    summary: "The fleet has no node of that id, or more than one; the message names what there is.",
  },
  NODE_ALONE: {
    kind: "failed_precondition",
    summary: "The node has no registry, so it is not one of a fleet.",
  },
  MAPPING_READ_ONLY: {
    kind: "failed_precondition",
    summary: "The fleet's registry is a file or DNS: nodes read it, and write nothing there.",
  },
  MAPPING_OUTDATED: {
    kind: "aborted",
    summary: "Services were placed anew meanwhile; an older mapping changes nothing.",
  },
  NODE_STORE_UNKNOWN: {
    kind: "not_found",
    summary: "This node has no store of that name; the nearest one is named.",
  },
  NODE_SCOPES_UNKNOWN: {
    kind: "not_found",
    summary: "No service of this name runs here, or it declares no scoped store.",
  },
  NODE_STORE_READ_ONLY: {
    kind: "failed_precondition",
    summary: "The store is the node's own record of what it has done. It can be read, not written.",
  },
  NODE_ENTRY_UNKNOWN: {
    kind: "not_found",
    summary: "The store has no entry with that key.",
  },
  NODE_TOPIC_UNKNOWN: {
    kind: "not_found",
    summary: "No service of this node declares an event with that topic; the nearest is named.",
  },
  NODE_SUBSCRIPTION_UNKNOWN: {
    kind: "not_found",
    summary: "There is no subscription of that name; the nearest one is named.",
  },
  NODE_DEAD_LETTER_UNKNOWN: {
    kind: "not_found",
    summary:
      "There is no dead letter with that id: it was redriven or discarded, or never was one.",
  },
  NODE_BACKUP_REFUSED: {
    kind: "failed_precondition",
    summary:
      "A backup cannot be written there, or there is nothing to copy. Name an absolute path of a folder that is empty or does not exist.",
  },
  NODE_BACKUP_RUNNING: {
    kind: "aborted",
    summary: "Another backup of this node is being written. Try again when it has ended.",
  },
  NODE_BACKUP_FAILED: {
    kind: "unavailable",
    summary:
      "The backup could not be finished, and what there was of it is removed. The message says why.",
  },
  ONCE_INVALID: {
    kind: "invalid_argument",
    summary:
      "`once` needs an event with its id, and a name under which it counts as handled: call it in a subscription's handler, or give `as`.",
  },
  TRANSACTION_EVENT_EPHEMERAL: {
    kind: "failed_precondition",
    summary:
      "An ephemeral event cannot be committed with a transaction. Publish it afterwards, or declare it durable.",
  },
  HTTP_BODY_INVALID: {
    kind: "invalid_argument",
    summary: "The body is not JSON. The message says where the parser stopped.",
  },
  HTTP_BODY_TOO_LARGE: {
    kind: "invalid_argument",
    http: 413,
    summary: "The body is larger than the operation or the node allows.",
  },
  HTTP_MEDIA_TYPE_UNSUPPORTED: {
    kind: "invalid_argument",
    http: 415,
    summary: "The body's media type is not application/json.",
  },
  HTTP_METHOD_NOT_ALLOWED: {
    kind: "invalid_argument",
    http: 405,
    summary: "The path exists, but not with this method; the Allow header names the right one.",
  },
  HTTP_ROUTE_UNKNOWN: {
    kind: "not_found",
    summary: "Nothing is served at this path.",
  },
  HTTP_REQUEST_MALFORMED: {
    kind: "invalid_argument",
    summary: "The bytes received are not an HTTP request, or a header has an unusable value.",
  },
  HTTP_HEADERS_TOO_LARGE: {
    kind: "invalid_argument",
    http: 431,
    summary: "The head of the request is larger than http.headerBytesMax.",
  },
  HTTP_REQUEST_TIMEOUT: {
    kind: "invalid_argument",
    http: 408,
    summary: "The request was not received within http.receiveTimeoutMs.",
  },
  HTTP_HOST_REFUSED: {
    kind: "permission_denied",
    http: 421,
    summary:
      "The Host header names a host that this node does not answer for; add it to http.allowedHosts.",
  },
  HTTP_ORIGIN_REFUSED: {
    kind: "permission_denied",
    summary:
      "A web page of another site tried to call this node; add its origin to http.allowedOrigins if it may.",
  },
  TELEMETRY_OFF: {
    kind: "failed_precondition",
    summary:
      "What was asked for is switched off in this node: telemetry.traces.enabled, or a log of its own.",
  },
  TRACE_UNKNOWN: {
    kind: "not_found",
    summary: "No trace of that id is in memory: it was not kept, or newer ones pushed it out.",
  },
  LOG_SERVICE_UNKNOWN: {
    kind: "not_found",
    summary: "The level of a service was to be changed that this node does not run.",
  },
});
