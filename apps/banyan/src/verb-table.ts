/**
 * The verbs as data. Parsing, help, the reference page and the nearest-word advice all read this
 * table, so a flag that is not in it does not exist.
 */

import { dataVerbs } from "./data-verbs.ts";
import { meshVerbs } from "./mesh-verbs.ts";
import { telemetryVerbs } from "./telemetry-verbs.ts";
import type { ArgumentSpec, FlagSpec, VerbSpec } from "./verb-spec.ts";

export type { Completion, FlagSpec, VerbSpec } from "./verb-spec.ts";

/** Flags that every verb takes. */
export const commonFlags: readonly FlagSpec[] = [
  { name: "json", summary: "Print JSON for machines." },
  { name: "no-color", summary: "Print without colours; so do NO_COLOR and a pipe." },
  {
    name: "config",
    value: "file",
    summary: "Configuration file; default: BANYAN_CONFIG, then the nearest banyan.yaml.",
    completes: "file",
  },
  {
    name: "data-dir",
    value: "folder",
    summary: "Data directory; default: .banyan beside the configuration.",
    completes: "folder",
  },
  {
    name: "url",
    value: "url",
    summary: "Address of the node; default: the one of the data directory.",
  },
  { name: "help", short: "h", summary: "Show help for the verb." },
];

const setFlag: FlagSpec = {
  name: "set",
  value: "key=value",
  multiple: true,
  summary: "Set one key of the configuration: --set http.port=8080.",
};
const servicesFlag: FlagSpec = {
  name: "services",
  value: "list",
  summary: "Run exactly these, by name or path: greeter,./my-service.",
  completes: "service",
};
const serviceArgument: ArgumentSpec = { name: "service", required: true, completes: "service" };

export const verbs: readonly VerbSpec[] = [
  {
    name: "up",
    summary: "Start a node and run it until Ctrl-C.",
    args: [],
    flags: [
      servicesFlag,
      { name: "port", value: "port", summary: "HTTP port; 0 takes a free one." },
      { name: "host", value: "address", summary: "Address to listen on; default 127.0.0.1." },
      {
        name: "join",
        value: "registry",
        summary: "Be one of a fleet: where its nodes find each other, redis or redis://host:6379.",
      },
      { name: "watch", summary: "Start again whenever a service or the configuration changes." },
      setFlag,
    ],
    examples: [
      { line: "banyan up", says: "everything the configuration finds, on embedded engines" },
      { line: "banyan up --services greeter --port 0", says: "one service on a free port" },
      { line: "banyan up --watch", says: "start again after every edit" },
      {
        line: "banyan up --join redis://localhost:6379 --services orders --port 0",
        says: "one of several nodes; all have the same BANYAN_MESH_SECRET",
      },
      {
        line: "banyan up --set services.greeter.salutation=Ahoy",
        says: "one setting for this run",
      },
    ],
  },
  {
    name: "services",
    summary: "List the services of the running node with their health.",
    args: [],
    flags: [],
    examples: [{ line: "banyan services --json", says: "for a script" }],
  },
  {
    name: "describe",
    summary: "Describe a service, or one of its operations.",
    args: [{ name: "service[.operation]", required: true, completes: "service.operation" }],
    flags: [],
    examples: [
      { line: "banyan describe greeter", says: "operations, stores, events" },
      {
        line: "banyan describe greeter.greet",
        says: "what goes in, what comes out, how to call it",
      },
    ],
  },
  {
    name: "call",
    summary: "Call an operation and print its answer.",
    args: [
      serviceArgument,
      { name: "operation", required: true, completes: "operation" },
      {
        name: "json | - | key=value…",
        required: false,
        rest: true,
        completes: "operation-field",
      },
    ],
    flags: [
      {
        name: "timeout",
        value: "time",
        summary: "Give up after: 500ms, 5s, 2m.",
      },
      {
        name: "idempotency-key",
        value: "key",
        summary: "Makes it safe to send the same call again.",
      },
    ],
    examples: [
      {
        line: "banyan call greeter greet name=Ada",
        says: "fields by name, converted by the schema",
      },
      { line: `banyan call greeter greet '{"name":"Ada"}'`, says: "the request as JSON" },
      {
        line: "banyan call greeter greet - < request.json",
        says: "the request from a file or pipe",
      },
      {
        line: "banyan call shop admin.reset confirm=true --timeout 5s",
        says: "an operation in a group",
      },
    ],
  },
  ...meshVerbs,
  ...dataVerbs,
  ...telemetryVerbs,
  {
    name: "config show",
    summary: "Show every setting with its value, of the running node or of the next start.",
    args: [],
    flags: [
      { name: "origin", summary: "Show where each value comes from." },
      servicesFlag,
      setFlag,
    ],
    examples: [
      { line: "banyan config show --origin", says: "file and line, variable, flag or default" },
    ],
  },
  {
    name: "config validate",
    summary: "Check configuration and services as a start would, and start nothing.",
    args: [],
    flags: [servicesFlag, setFlag],
    examples: [{ line: "banyan config validate --config prod.yaml", says: "before a rollout" }],
  },
  {
    name: "config docs",
    summary: "Document every setting: type, default, variable, meaning.",
    args: [],
    flags: [
      { name: "schema", summary: "Print the JSON Schema of banyan.yaml, for editors." },
      servicesFlag,
    ],
    examples: [
      { line: "banyan config docs", says: "everything that can be set" },
      { line: "banyan config docs --schema > banyan.schema.json", says: "completion in an editor" },
    ],
  },
  {
    name: "contract export",
    summary: "Write the contracts as OpenAPI, AsyncAPI and configuration JSON Schema.",
    args: [],
    flags: [
      {
        name: "out",
        value: "folder",
        summary: "Where to; default: contracts.",
        completes: "folder",
      },
      { name: "check", summary: "Write nothing; fail when the files there differ." },
      servicesFlag,
    ],
    examples: [
      {
        line: "banyan contract export --out contracts",
        says: "for everyone who is not TypeScript",
      },
      { line: "banyan contract export --check", says: "in CI: fails on drift" },
    ],
  },
  {
    name: "new service",
    summary: "Write a new service that works: contract, code, test, README.",
    args: [{ name: "name", required: true }],
    flags: [
      {
        name: "dir",
        value: "folder",
        summary: "Parent folder; default: services.",
        completes: "folder",
      },
      { name: "layer", value: "layer", summary: "L1 … L5; default L4." },
    ],
    examples: [{ line: "banyan new service hello", says: "services/hello" }],
  },
  {
    name: "doctor",
    summary: "Check this machine, the configuration and the node; say what to mend.",
    args: [],
    flags: [servicesFlag, setFlag],
    examples: [{ line: "banyan doctor", says: "one line for each check" }],
  },
  {
    name: "readiness",
    summary: "Show what the platform promises and how far each promise is kept.",
    args: [{ name: "area", required: false }],
    flags: [],
    examples: [
      { line: "banyan readiness", says: "one line for each area" },
      { line: "banyan readiness state", says: "one line for each promise" },
    ],
  },
  {
    name: "completion",
    summary: "Print the script that completes banyan's words in a shell.",
    args: [{ name: "shell", required: true, completes: "shell" }],
    flags: [],
    examples: [
      {
        line: "banyan completion bash > ~/.local/share/bash-completion/completions/banyan",
        says: "for bash, in new shells",
      },
      { line: "banyan completion zsh > ~/.zfunc/_banyan", says: "for zsh; ~/.zfunc is in fpath" },
      {
        line: "banyan completion fish > ~/.config/fish/completions/banyan.fish",
        says: "for fish",
      },
    ],
  },
  {
    name: "help",
    summary: "Show help for a verb.",
    args: [{ name: "verb", required: false, rest: true, completes: "verb" }],
    flags: [],
    examples: [{ line: "banyan help call", says: "the same as banyan call --help" }],
  },
  {
    name: "complete-values",
    summary: "Print the values that may stand at a place, one per line; a shell asks.",
    args: [
      { name: "kind", required: true },
      { name: "words", required: false, rest: true },
    ],
    flags: [],
    examples: [],
    hidden: true,
  },
];

/** Those that people use. */
export const shownVerbs: readonly VerbSpec[] = verbs.filter(({ hidden }) => hidden !== true);
