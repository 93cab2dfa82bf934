/** The checks, in one list: what runs, what it costs, and what to do when it fails. */

export interface Step {
  readonly name: string;
  /** A program of node_modules/.bin, or `node` for a script of this tree. */
  readonly command: readonly [program: string, ...args: string[]];
  /** What to do when it fails. */
  readonly fix: string;
}

/** Longest first, so that two at a time end early. */
export const steps: readonly Step[] = [
  {
    name: "types",
    command: ["tsc", "-p", "tsconfig.json"],
    fix: "mend the type errors above",
  },
  {
    name: "lint",
    command: ["oxlint", "--report-unused-disable-directives"],
    fix: "`npx oxlint --fix` mends what it safely can",
  },
  {
    name: "unused",
    command: ["knip", "--no-config-hints"],
    fix: "remove what nothing uses, or use it",
  },
  {
    name: "tidy",
    command: ["node", "tools/tidy/main.ts"],
    fix: "mend it, or make an exception by name in tools/tidy/exceptions.ts",
  },
  {
    name: "format",
    command: ["oxfmt", "--check"],
    fix: "`npm run format` writes it",
  },
  {
    name: "readiness",
    command: ["node", "tools/readiness/main.ts", "--check"],
    fix: "correct readiness/*.yaml, then `npm run readiness`",
  },
];
