/** The verbs about the fleet: who is in it, which app runs what, taking a node out. */

import type { VerbSpec } from "./verb-spec.ts";

export const meshVerbs: readonly VerbSpec[] = [
  {
    name: "mesh endpoints",
    summary: "List the nodes of the fleet, with what each runs.",
    args: [],
    flags: [
      {
        name: "service",
        value: "name",
        summary: "Only those that run this service.",
        completes: "service",
      },
      { name: "app", value: "name", summary: "Only those of this app." },
    ],
    examples: [
      { line: "banyan mesh endpoints", says: "as the running node knows them" },
      { line: "banyan mesh endpoints --service orders --json", says: "who runs orders" },
    ],
  },
  {
    name: "mesh mappings",
    summary: "Show which app runs which service.",
    args: [],
    flags: [],
    examples: [{ line: "banyan mesh mappings", says: "what is placed, and by which version" }],
  },
  {
    name: "mesh place",
    summary: "Say which app runs which service; replaces all that was said before.",
    args: [{ name: "service=app…", required: false, rest: true }],
    flags: [
      { name: "none", summary: "Nothing is placed: every service belongs to the app banyan." },
      {
        name: "epoch",
        value: "text",
        summary: "A greater one begins a new count of versions.",
      },
      { name: "version", value: "number", summary: "Default: the next one." },
    ],
    examples: [
      { line: "banyan mesh place orders=shop stock=shop", says: "both run in the nodes of shop" },
      { line: "banyan mesh place --none", says: "back to one app" },
    ],
  },
  {
    name: "mesh drain",
    summary: "Have a node finish what it has and leave the fleet, until its next start.",
    args: [{ name: "node", required: false }],
    flags: [
      { name: "timeout", value: "time", summary: "Wait so long for it to be gone; default 30s." },
      { name: "no-wait", summary: "Do not wait until it is gone." },
    ],
    examples: [
      { line: "banyan mesh drain till-2", says: "by the id in banyan mesh endpoints" },
      { line: "banyan mesh drain", says: "the running node itself" },
    ],
    notes: [
      "A drained node runs on and serves nobody: it is stopped, or started again, by whoever runs it.",
    ],
  },
];
