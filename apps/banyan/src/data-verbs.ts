/** The verbs about what a node keeps: state, events, backups. Rows of the verb table. */

import type { ArgumentSpec, FlagSpec, VerbSpec } from "./verb-spec.ts";

const storeArgument: ArgumentSpec = { name: "store", required: true, completes: "store" };
const keyArgument: ArgumentSpec = { name: "key", required: true };
const folderArgument: ArgumentSpec = { name: "folder", required: true, completes: "folder" };
const idsArgument: ArgumentSpec = { name: "id…", required: false, rest: true };

const ifMatchFlag: FlagSpec = {
  name: "if-match",
  value: "etag",
  summary: "Only if the entry still has this etag.",
};
const limitFlag: FlagSpec = {
  name: "limit",
  value: "count",
  summary: "At most so many.",
};
const afterFlag: FlagSpec = {
  name: "after",
  value: "mark",
  summary: "Go on after this; a page that has a next one names it.",
};
const subscriptionFlag: FlagSpec = {
  name: "subscription",
  value: "name",
  summary: "Only those of this subscription: orders.placed.",
  completes: "subscription",
};
const allFlag: FlagSpec = { name: "all", summary: "All of them, not only some or a page." };
const yesFlag: FlagSpec = { name: "yes", summary: "Do not ask whether it is meant." };

const stateVerbs: readonly VerbSpec[] = [
  {
    name: "state stores",
    summary: "List the stores of the running node and what keeps them.",
    args: [],
    flags: [{ name: "count", summary: "Count their entries; may take a while." }],
    examples: [
      { line: "banyan state stores", says: "every store, its engine, what it can do" },
      { line: "banyan state stores --count", says: "and how many entries it has" },
    ],
  },
  {
    name: "state scopes",
    summary: "List the scopes of a service: whose they are and how much is in them.",
    args: [{ name: "service", required: true, completes: "service" }],
    flags: [
      { name: "owner", value: "text", summary: "Only those of this owner." },
      limitFlag,
      afterFlag,
    ],
    examples: [
      { line: "banyan state scopes notes", says: "the first hundred" },
      { line: "banyan state scopes notes --owner organisation:42", says: "of one owner" },
    ],
  },
  {
    name: "state get",
    summary: "Print one entry of a store.",
    args: [storeArgument, keyArgument],
    flags: [],
    examples: [
      { line: "banyan state get greeter.visits Ada", says: "its value" },
      { line: "banyan state get greeter.visits Ada --json", says: "its value, etag and key" },
    ],
  },
  {
    name: "state set",
    summary: "Write one entry of a store; the store's schema judges the value.",
    args: [
      storeArgument,
      keyArgument,
      { name: "json | - | key=value…", required: true, rest: true, completes: "store-field" },
    ],
    flags: [
      ifMatchFlag,
      { name: "if-absent", summary: "Only if the key is not there." },
      { name: "ttl", value: "time", summary: "Let the entry expire after: 30s, 5m, 12h, 7d." },
    ],
    examples: [
      { line: "banyan state set greeter.visits Ada count=3", says: "fields by name" },
      { line: `banyan state set greeter.visits Ada '{"count":3}'`, says: "the value as JSON" },
      { line: "banyan state set greeter.visits Ada - < value.json", says: "from a file or pipe" },
      {
        line: "banyan state set greeter.visits Ada count=4 --if-match 0a1b",
        says: "only if nobody wrote since it was read",
      },
    ],
  },
  {
    name: "state delete",
    summary: "Delete entries of a store, all or none.",
    args: [storeArgument, { name: "key…", required: true, rest: true }],
    flags: [ifMatchFlag],
    examples: [{ line: "banyan state delete greeter.visits Ada Bob", says: "two entries" }],
  },
  {
    name: "state list",
    summary: "List the entries of a store by key.",
    args: [storeArgument],
    flags: [
      { name: "prefix", value: "text", summary: "Only keys that begin with this." },
      limitFlag,
      afterFlag,
      allFlag,
    ],
    examples: [
      { line: "banyan state list greeter.visits", says: "the first hundred" },
      {
        line: "banyan state list greeter.visits --prefix A --all",
        says: "every key that begins with A",
      },
    ],
    notes: [
      '`--json` prints `{"entries":[{"key":"Ada","value":{"count":3},"etag":"0a1b"}],"next":"Ada"}`; there is a `next` only where there is more.',
      "With `--all` it prints the entries alone, one per line.",
    ],
  },
];

const eventVerbs: readonly VerbSpec[] = [
  {
    name: "events topics",
    summary: "List the events of the running node, who listens, and what waits.",
    args: [],
    flags: [],
    examples: [{ line: "banyan events topics", says: "topics, and the depth of every group" }],
  },
  {
    name: "events buffer",
    summary: "Show what the node has for the server of its bus and is not confirmed.",
    args: [],
    flags: [],
    examples: [{ line: "banyan events buffer", says: "also while the server is away" }],
    notes: ["It is in the node's process only: what is in it when the node is killed is lost."],
  },
  {
    name: "events publish",
    summary: "Publish an event as the service that declares it.",
    args: [
      { name: "topic", required: true, completes: "topic" },
      {
        name: "json | - | key=value…",
        required: false,
        rest: true,
        completes: "topic-field",
      },
    ],
    flags: [
      { name: "delay", value: "time", summary: "Deliver it after: 30s, 5m, 12h, 7d." },
      { name: "event-id", value: "uuid", summary: "Its id; the same id is the same event." },
      {
        name: "mode",
        value: "word",
        summary: "safe (default): done when it is safe. enqueue: when the node has it.",
      },
      { name: "mandatory", summary: "Refuse it if nobody subscribes to it." },
      { name: "correlation-id", value: "text", summary: "What it belongs to, in your words." },
    ],
    examples: [
      { line: "banyan events publish greeter.greeted name=Ada count=1", says: "fields by name" },
      {
        line: "banyan events publish greeter.greeted name=Ada count=1 --delay 10m",
        says: "in ten minutes",
      },
      {
        line: "banyan events publish greeter.greeted name=Ada count=1 --mode enqueue",
        says: "does not wait for the bus's server",
      },
    ],
  },
  {
    name: "events tail",
    summary: "Print what is published from now on, until Ctrl-C.",
    args: [{ name: "pattern", required: false, completes: "topic" }],
    flags: [limitFlag],
    examples: [
      { line: "banyan events tail", says: "everything" },
      { line: "banyan events tail 'greeter.*'", says: "* stands for one word, # for any number" },
      { line: "banyan events tail greeter.greeted --limit 1", says: "waits for one" },
    ],
    notes: [
      '`--json` prints one object per line. The first is `{"kind":"live","pattern":"#"}`: whatever is published from then on is shown.',
      'An event is `{"kind":"message","topic":…,"eventId":…,"timestamp":…,"bus":…,"headers":{…},"body":{…}}`; `{"kind":"missed","count":7}` stands for events that came faster than they were read.',
      "`--limit` counts events, not the other lines.",
    ],
  },
  {
    name: "events dead-letters list",
    summary: "List what could not be handled, oldest first.",
    args: [],
    flags: [subscriptionFlag, limitFlag, afterFlag, allFlag],
    examples: [{ line: "banyan events dead-letters list", says: "the first hundred" }],
    notes: [
      '`--json` prints `{"letters":[{"id":…,"subscription":…,"topic":…,"error":{…}}],"next":…}`; there is a `next` only where there is more. With `--all` it prints the letters alone, one per line.',
    ],
  },
  {
    name: "events dead-letters show",
    summary: "Show one dead letter: its message and what went wrong.",
    args: [{ name: "id", required: true }],
    flags: [],
    examples: [
      {
        line: "banyan events dead-letters show 01a1fc33-e410-7000-8fa4-3c8384863862",
        says: "with its body",
      },
    ],
  },
  {
    name: "events dead-letters redrive",
    summary: "Give dead letters to their subscription again.",
    args: [idsArgument],
    flags: [subscriptionFlag, allFlag, limitFlag, yesFlag],
    examples: [
      {
        line: "banyan events dead-letters redrive 01a1fc33-e410-7000-8fa4-3c8384863862",
        says: "one of them",
      },
      {
        line: "banyan events dead-letters redrive --subscription orders.placed --all",
        says: "after the fault was mended",
      },
    ],
  },
  {
    name: "events dead-letters discard",
    summary: "Forget dead letters; they cannot be brought back.",
    args: [idsArgument],
    flags: [subscriptionFlag, allFlag, limitFlag, yesFlag],
    examples: [
      {
        line: "banyan events dead-letters discard 01a1fc33-e410-7000-8fa4-3c8384863862",
        says: "one of them",
      },
      {
        line: "banyan events dead-letters discard --subscription orders.placed --all --yes",
        says: "in a script",
      },
    ],
  },
];

const backupVerbs: readonly VerbSpec[] = [
  {
    name: "backup create",
    summary: "Write a consistent copy of the data directory, while the node works on.",
    args: [folderArgument],
    flags: [],
    examples: [
      { line: "banyan backup create /backups/monday", says: "a folder that does not exist yet" },
    ],
  },
  {
    name: "backup verify",
    summary: "Check that a backup is what was written: sizes, checksums, databases.",
    args: [folderArgument],
    flags: [],
    examples: [{ line: "banyan backup verify /backups/monday", says: "names what is wrong" }],
  },
  {
    name: "backup restore",
    summary: "Put a backup into the data directory; no node may run on it.",
    args: [folderArgument],
    flags: [
      { name: "force", summary: "Replace data that is there; the old files are kept aside." },
    ],
    examples: [
      { line: "banyan backup restore /backups/monday --data-dir .banyan", says: "an empty one" },
      { line: "banyan backup restore /backups/monday --force", says: "instead of what is there" },
    ],
  },
];

export const dataVerbs: readonly VerbSpec[] = [...stateVerbs, ...eventVerbs, ...backupVerbs];
