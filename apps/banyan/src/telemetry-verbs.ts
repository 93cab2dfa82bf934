/** The verbs about what a node tells of its work: traces, log. Rows of the verb table. */

import type { VerbSpec } from "./verb-spec.ts";

const traceVerbs: readonly VerbSpec[] = [
  {
    name: "trace list",
    summary: "List what the running node has traced of late, newest first.",
    args: [],
    flags: [
      {
        name: "service",
        value: "name",
        summary: "Only what went through this service.",
        completes: "service",
      },
      {
        name: "name",
        value: "operation",
        summary: "Only what has a span of this name: orders.place.",
        completes: "trace-name",
      },
      { name: "min", value: "time", summary: "Only what took as long: 200ms, 1s." },
      { name: "failed", summary: "Only where something failed." },
      { name: "slowest", summary: "The slowest first." },
      { name: "limit", value: "count", summary: "At most so many; default 20." },
    ],
    examples: [
      { line: "banyan trace list", says: "the latest twenty" },
      { line: "banyan trace list --failed", says: "where something failed" },
      { line: "banyan trace list --name orders.place --slowest", says: "the slowest orders" },
      { line: "banyan trace list --service stock --min 200ms", says: "slow ones with the stock" },
    ],
    notes: [
      "What the command asks of the node itself is left out, unless it is named: `--service node`.",
      '`--json` prints `{"traces":[{"traceId":…,"name":…,"durationMs":…,"kept":"slow"}],"held":37}`; `held` counts every trace in memory.',
    ],
  },
  {
    name: "trace show",
    summary: "Show one trace: who called whom, how long it took, and where the time went.",
    args: [{ name: "id", required: true, completes: "trace" }],
    flags: [
      { name: "all", summary: "A line for each span, also of those that are the same." },
      { name: "verbose", summary: "With messages of errors, places in the code and attributes." },
    ],
    examples: [
      { line: "banyan trace show 4eb84687", says: "the beginning of an id is enough" },
      { line: "banyan trace show 4eb84687 --verbose", says: "with errors and attributes" },
      { line: "banyan trace show 4eb84687 --all", says: "a line for each of many equal spans" },
    ],
    notes: [
      "More than five spans side by side that are the same are one line, with their count, the sum of their times and the slowest; `--all` shows each.",
      "Below the spans stand the longest stretches in which a span ran and nothing below it did, with the lines of code around them: what is slow there is between those lines.",
    ],
  },
];

const logVerbs: readonly VerbSpec[] = [
  {
    name: "log level",
    summary: "Show the levels of the node's log, or change one until the node stops.",
    args: [
      { name: "service | level", required: false, completes: "service-or-level" },
      { name: "level", required: false, completes: "level" },
    ],
    flags: [{ name: "reset", summary: "Let the service follow the level of all again." }],
    examples: [
      { line: "banyan log level", says: "the level of all, and of services with their own" },
      { line: "banyan log level debug", says: "of all: debug, info, warn, error or silent" },
      { line: "banyan log level greeter debug", says: "of one service" },
      { line: "banyan log level greeter --reset", says: "as all again" },
    ],
    notes: ["One word that is a level sets the level of all, also where a service is called so."],
  },
];

const statusVerbs: readonly VerbSpec[] = [
  {
    name: "telemetry",
    summary: "Show what the node measures and traces, and how its exporter does.",
    args: [],
    flags: [],
    examples: [{ line: "banyan telemetry", says: "metrics, traces, exporter" }],
  },
];

export const telemetryVerbs: readonly VerbSpec[] = [...traceVerbs, ...logVerbs, ...statusVerbs];
