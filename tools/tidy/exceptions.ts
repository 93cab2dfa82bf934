/**
 * Where a rule makes a piece of code worse, it is broken here, by name and with the reason. An
 * exception that nothing needs any more is a finding itself.
 */

export interface Exception {
  readonly rule: string;
  readonly file: string;
  readonly reason: string;
}

export const exceptions: readonly Exception[] = [
  {
    rule: "dependencies",
    file: "bench/package.json",
    reason:
      "NestJS loads amqp-connection-manager by name, as a peer that whoever uses it installs.",
  },
  {
    rule: "chance",
    file: "packages/kernel/src/time/clock.ts",
    reason: "Owns the system clock and its timers; everybody else is given a Clock.",
  },
  {
    rule: "chance",
    file: "packages/kernel/src/random.ts",
    reason: "Owns the system's randomness; everybody else is given a Random.",
  },
  {
    rule: "chance",
    file: "backends/sqlite/src/writer.ts",
    reason: "A thread's own program: nobody can hand it a Clock. It times its commits.",
  },
];
