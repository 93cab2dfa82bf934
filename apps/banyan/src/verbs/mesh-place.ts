/** `banyan mesh place orders=shop`: which app runs which service, from now on. */

import type { Command } from "../command.ts";
import { countFlag } from "../count-flag.ts";
import { cliErrors } from "../errors.ts";
import { mappingText } from "../mesh-answers.ts";
import { findNode } from "../node-address.ts";
import { askNode } from "../node-client.ts";

export async function run(command: Command): Promise<void> {
  const { terminal, flags, args } = command;
  const placements = args.map(placement);
  const apps = Object.fromEntries(placements);
  const twice = placements.find(
    ([service], at) => placements.findIndex(([other]) => other === service) !== at,
  );
  if (twice !== undefined) throw usage(`${twice[0]} is placed twice.`);
  // An empty mapping takes everything back: nobody writes that by accident.
  if (args.length === 0 && !flags.has("none")) throw usage("Nothing is placed.");
  if (args.length > 0 && flags.has("none")) throw usage("--none places nothing.");
  const epoch = flags.text("epoch");
  const version = countFlag(flags, "version");
  const answer = await askNode(await findNode(command), "/node/mesh/place", {
    apps,
    ...(epoch === undefined ? {} : { epoch }),
    ...(version === undefined ? {} : { version }),
  });
  terminal.print(terminal.json ? JSON.stringify(answer) : mappingText(answer, terminal));
}

function placement(word: string): [service: string, app: string] {
  const [service = "", app = "", ...more] = word.split("=");
  if (service !== "" && app !== "" && more.length === 0) return [service, app];
  throw usage(`${word} is no placement.`);
}

function usage(what: string): Error {
  return cliErrors.CLI_USAGE(what, {
    details: { fix: "Write banyan mesh place orders=shop, or banyan mesh place --none." },
  });
}
