/**
 * What of this process's environment a node that a test starts must not have: it refuses `BANYAN_`
 * variables that it does not know, such as those of tests, and below npm the command is spelled in
 * another way. For `ChildOptions.env`, where `undefined` takes a variable away.
 */
export function bareEnvironment(): Readonly<Record<string, undefined>> {
  const names = [...Object.keys(process.env), "BANYAN_TESTPOINTS", "npm_command"];
  const foreign = names.filter((name) => name.startsWith("BANYAN_") || name === "npm_command");
  return Object.fromEntries(foreign.map((name) => [name, undefined]));
}
