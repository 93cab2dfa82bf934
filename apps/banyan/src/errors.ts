/** What the command itself can fail with; everything else is passed on as the node said it. */

import { defineErrors } from "@banyan/kernel";

export const cliErrors = defineErrors({
  CLI_USAGE: {
    kind: "invalid_argument",
    summary: "The command line is wrong; the nearest known verb, flag or argument is named.",
  },
  CLI_NOT_CONNECTED: {
    kind: "unavailable",
    summary: "No node answers where the command looked for one. Start one with `banyan up`.",
  },
  CLI_WAIT_OVER: {
    kind: "deadline_exceeded",
    summary: "What the command waits for was not so in time; it may still become so.",
  },
  CLI_ANSWER_UNREADABLE: {
    kind: "internal",
    summary: "Something answered that is no Banyan node, or a node of another generation.",
  },
  CLI_CONNECTION_LOST: {
    kind: "unavailable",
    summary:
      "The connection broke while the request was sent, or before its answer was there. The message says whether it can have taken effect.",
    retryable: false,
  },
  CLI_CONFIG_UNREADABLE: {
    kind: "failed_precondition",
    summary: "The configuration file cannot be read; the message says why and where.",
  },
  CLI_SETUP_INVALID: {
    kind: "failed_precondition",
    summary:
      "A node would not start here: configuration, services or engines are wrong. Everything is listed with its place and its fix.",
  },
  CLI_NO_DATA: {
    kind: "not_found",
    summary:
      "No node runs, and the data directory holds nothing that could be copied. Name the right one with --data-dir.",
  },
  CLI_LETTERS_LEFT: {
    kind: "failed_precondition",
    summary:
      "Some of the dead letters that were named stay: they are not there, or their subscription is gone or full. The others are done.",
  },
  CLI_FILE_EXISTS: {
    kind: "already_exists",
    summary: "The folder that was to be written exists already; nothing was changed.",
  },
  CLI_CONTRACT_DRIFT: {
    kind: "failed_precondition",
    summary: "The exported contract files differ from what the services say now.",
  },
  CLI_UNHEALTHY: {
    kind: "failed_precondition",
    summary: "`banyan doctor` found something that needs mending; each line says how.",
  },
});
