/**
 * The plan of a node: do the chosen services fit together, and in which order do they start?
 *
 * Pure. Every offence of every service is collected before anything starts, so one run of `banyan
 * doctor` or one failed start shows them all.
 */

import { compareText } from "../config/problems.ts";
import { nearest } from "../schema/nearest.ts";
import type { Offence } from "./check.ts";
import { offencesError } from "./check.ts";
import type { AnyContract } from "./contract-spec.ts";
import { isEdgeAllowed, layers } from "./layers.ts";
import { listOperations } from "./operation.ts";
import { engineOffences } from "./plan-engines.ts";
import type { ChosenEngines } from "./plan-engines.ts";

export interface PlanInput {
  readonly contracts: readonly AnyContract[];
  /** Known services that are switched off here, with the reason: for the fix. */
  readonly disabled?: ReadonlyMap<string, string>;
  /** The node is one of a fleet: what it does not run itself, another node may. */
  readonly hasFleet?: boolean;
  /** Left out: stores and events are not judged. */
  readonly engines?: ChosenEngines;
}

export interface NodePlan {
  /** Start order: by layer, then hard dependency, then name. Stop is the reverse. */
  readonly order: readonly AnyContract[];
}

/** One dependency between two services. */
interface Edge {
  readonly from: AnyContract;
  readonly to: AnyContract;
  readonly strength: "hard" | "soft";
  /** Where it is declared: `uses.account`. */
  readonly place: string;
  /** As a verb: "uses". */
  readonly verb: string;
}

/** @throws NODE_PLAN_INVALID with every offence, its place and its fix. */
export function planNode(input: PlanInput): NodePlan {
  const edges = input.contracts.flatMap(edgesOf);
  const offences = [
    ...duplicateNames(input.contracts),
    ...edges.flatMap(forbiddenEdge),
    ...edges.flatMap((edge) => missingProvider(edge, input)),
    ...edges.flatMap((edge) => incompatibleVersion(edge, input)),
    ...edges.flatMap(missingMember),
    ...hardCycles(input.contracts, edges),
    ...duplicateRoutes(input.contracts),
    ...(input.engines === undefined ? [] : engineOffences(input.contracts, input.engines)),
  ];
  if (offences.length > 0) throw offencesError("NODE_PLAN_INVALID", "The node's plan", offences);
  return { order: startOrder(input.contracts, edges) };
}

function edgesOf(from: AnyContract): Edge[] {
  const { uses = {}, optional = {}, subscriptions = {}, extensions = {} } = from.spec;
  const edge = (to: AnyContract, place: string, verb: string): Edge => ({
    from,
    to,
    strength: verb === "uses" ? "hard" : "soft",
    place: `${from.name}.${place}`,
    verb,
  });
  return [
    ...Object.entries(uses).map(([key, to]) => edge(to, `uses.${key}`, "uses")),
    ...Object.entries(optional).map(([key, to]) => edge(to, `optional.${key}`, "optionally uses")),
    ...Object.entries(subscriptions).map(([key, { contract }]) =>
      edge(contract, `subscriptions.${key}`, "subscribes to events of"),
    ),
    ...Object.entries(extensions).map(([key, { contract }]) =>
      edge(contract, `extensions.${key}`, "extends"),
    ),
  ];
}

function duplicateNames(contracts: readonly AnyContract[]): Offence[] {
  const names = contracts.map(({ name }) => name);
  const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
  return [...twice].map((name) => ({
    place: name,
    message: `${names.filter((each) => each === name).length} services are named "${name}".`,
    fix: "Rename all but one, or load only one of them.",
  }));
}

function forbiddenEdge(edge: Edge): Offence[] {
  const { from, to, strength, place, verb } = edge;
  if (isEdgeAllowed(from.layer, to.layer, strength)) return [];
  const label = (contract: AnyContract): string =>
    `${contract.name} (${contract.layer} ${layers[contract.layer].name})`;
  const allowed = layers[from.layer][strength].join(", ");
  const soft = strength === "hard" && isEdgeAllowed(from.layer, to.layer, "soft");
  return [
    {
      place,
      message: `${label(from)} ${verb} ${label(to)}; ${from.layer} may only reach ${allowed} so.`,
      fix: soft
        ? `Move ${to.name} from uses to optional and do without it when it is not there.`
        : `Turn it around: let ${to.name} subscribe to an event of ${from.name}, or implement an extension point of it.`,
    },
  ];
}

function missingProvider(edge: Edge, input: PlanInput): Offence[] {
  const { to, strength, place, from } = edge;
  if (input.contracts.some(({ name }) => name === to.name)) return [];
  if (input.hasFleet === true) return extendsElsewhere(edge);
  if (strength === "soft") return [];
  const reason = input.disabled?.get(to.name);
  return [
    {
      place,
      message:
        reason === undefined
          ? `Nobody provides "${to.name}", which ${from.name} cannot work without.`
          : `"${to.name}", which ${from.name} cannot work without, is switched off (${reason}).`,
      fix:
        reason === undefined
          ? `Add the service "${to.name}" to this node, or switch ${from.name} off.`
          : `Switch "${to.name}" on, or switch ${from.name} off as well.`,
    },
  ];
}

/** Extension points are asked within a node: an extension of what runs elsewhere is never asked. */
function extendsElsewhere({ from, to, place, verb }: Edge): Offence[] {
  if (verb !== "extends") return [];
  return [
    {
      place,
      message: `${from.name} extends "${to.name}", which this node does not run: it would never be asked.`,
      fix: `Run ${to.name} and ${from.name} in the same node.`,
    },
  ];
}

/** A consumer is built against one version; a provider of another major is another contract. */
function incompatibleVersion(edge: Edge, input: PlanInput): Offence[] {
  const provider = input.contracts.find(({ name }) => name === edge.to.name);
  if (provider === undefined) return [];
  const built = edge.to.spec.version;
  const running = provider.spec.version;
  if (isCompatibleVersion(built, running)) return [];
  return [
    {
      place: edge.place,
      message: `${edge.from.name} was built against ${edge.to.name} ${built}, but ${running} runs here.`,
      fix: `Update ${edge.from.name} to the contract of ${edge.to.name} ${running}, or run ${edge.to.name} ${majorOf(built)}.x.`,
    },
  ];
}

/** Whether a consumer that was built against one version can call what runs. */
export function isCompatibleVersion(built: string, running: string): boolean {
  return majorOf(built) === majorOf(running);
}

/** SemVer: below 1.0.0 every minor may break. */
function majorOf(version: string): string {
  const [major = "0", minor = "0"] = version.split(".");
  return major === "0" ? `0.${minor}` : major;
}

/** Subscriptions and extensions name a member; plain JavaScript can name one that is not there. */
function missingMember(edge: Edge): Offence[] {
  const [, part, key] = edge.place.split(".");
  const { subscriptions = {}, extensions = {} } = edge.from.spec;
  const named =
    part === "subscriptions"
      ? { what: "event", name: subscriptions[key ?? ""]?.event, among: edge.to.spec.events }
      : part === "extensions"
        ? {
            what: "extension point",
            name: extensions[key ?? ""]?.point,
            among: edge.to.spec.extensionPoints,
          }
        : undefined;
  if (named?.name === undefined || Object.hasOwn(named.among ?? {}, named.name)) return [];
  const meant = nearest(named.name, Object.keys(named.among ?? {}));
  return [
    {
      place: edge.place,
      message: `${edge.to.name} has no ${named.what} "${named.name}".`,
      fix: meant === undefined ? `Remove ${key ?? "it"}.` : `Did you mean "${meant}"?`,
    },
  ];
}

/** Depth-first search over hard edges; a cycle is named once, from its smallest name on. */
function hardCycles(contracts: readonly AnyContract[], edges: readonly Edge[]): Offence[] {
  const targets = targetsOf(contracts, edges);
  const found = new Map<string, Offence>();
  const done = new Set<string>();
  const walk = (name: string, path: readonly string[]): void => {
    if (done.has(name)) return;
    const start = path.indexOf(name);
    if (start !== -1) {
      const cycle = path.slice(start);
      const first = cycle.indexOf([...cycle].sort()[0] ?? name);
      const turned = [...cycle.slice(first), ...cycle.slice(0, first)];
      const text = [...turned, turned[0]].join(" → ");
      found.set(text, {
        place: `${turned[0]}.uses`,
        message: `Hard dependencies form a cycle: ${text}.`,
        fix: "Turn one of them into an event, an extension point, or optional.",
      });
      return;
    }
    for (const next of targets.get(name) ?? []) walk(next, [...path, name]);
    done.add(name);
  };
  for (const { name } of contracts) walk(name, []);
  return [...found.values()];
}

function targetsOf(
  contracts: readonly AnyContract[],
  edges: readonly Edge[],
): Map<string, readonly string[]> {
  const here = new Set(contracts.map(({ name }) => name));
  return new Map(
    contracts.map(({ name }) => [
      name,
      edges
        .filter((edge) => edge.strength === "hard" && edge.from.name === name)
        .map((edge) => edge.to.name)
        .filter((to) => here.has(to)),
    ]),
  );
}

function duplicateRoutes(contracts: readonly AnyContract[]): Offence[] {
  const seen = jsonRoutes(contracts);
  const offences: Offence[] = [];
  for (const contract of contracts) {
    for (const { name, spec } of listOperations(contract.spec.operations ?? {})) {
      if (spec.http === undefined) continue;
      const route = `${spec.http.method} ${spec.http.path.replaceAll(/:[A-Za-z0-9]+/g, ":_")}`;
      const place = `${contract.name}.operations.${name}.http`;
      const other = seen.get(route);
      seen.set(route, place);
      if (other === undefined) continue;
      offences.push({
        place,
        message: `${spec.http.method} ${spec.http.path} is served by ${other} already.`,
        fix: "Give one of the two another path.",
      });
    }
  }
  return offences;
}

/** The routes that every other operation has: route → place. */
function jsonRoutes(contracts: readonly AnyContract[]): Map<string, string> {
  return new Map(
    contracts.flatMap((contract) =>
      listOperations(contract.spec.operations ?? {})
        .filter(({ spec }) => spec.http === undefined)
        .map(({ name, segments }) => [
          `POST /${contract.name}/${segments.join("/")}`,
          `${contract.name}.operations.${name}`,
        ]),
    ),
  );
}

function startOrder(contracts: readonly AnyContract[], edges: readonly Edge[]): AnyContract[] {
  const targets = targetsOf(contracts, edges);
  const ordered: AnyContract[] = [];
  // Layer codes have one length, so the pair sorts as one text.
  const rankOf = ({ layer, name }: AnyContract): string => `${layer} ${name}`;
  const waiting = contracts.toSorted((a, b) => compareText(rankOf(a), rankOf(b)));
  const place = (contract: AnyContract): void => {
    if (ordered.includes(contract)) return;
    for (const name of targets.get(contract.name) ?? []) {
      const needed = contracts.find((each) => each.name === name);
      if (needed !== undefined) place(needed);
    }
    ordered.push(contract);
  };
  for (const contract of waiting) place(contract);
  return ordered;
}
