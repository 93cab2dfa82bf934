/** The configuration as a table: for `config show --origin` and `config docs`. */

import { getAtPointer } from "../schema/pointer.ts";
import { REDACTED } from "../schema/redact.ts";
import { buildConfigTree } from "./config-tree.ts";
import type { ConfigLeaf, ConfigNode, ReservedKey } from "./config-node.ts";
import type { ServiceDecision } from "./enable.ts";
import { serviceEnabledVariable } from "./env-names.ts";
import { originText } from "./problems.ts";
import type { ConfigResolution } from "./resolve.ts";
import type { ConfigSection } from "./sections.ts";
import { typeText } from "./type-text.ts";

/** One configurable value. Everything in it may be printed. */
export interface ConfigRow {
  /** Dotted name: `services.greeter.salutation`. */
  readonly name: string;
  readonly pointer: string;
  /** The variable that sets it. */
  readonly env: string;
  /** The type in words: `integer (1 to 65535)`. */
  readonly type: string;
  /** The declared default as JSON; `undefined` where there is none. */
  readonly default: unknown;
  /** The resolved value as JSON, a secret hidden; `undefined` where it is not set. */
  readonly value: unknown;
  /** `banyan.yaml:3:9`, `BANYAN_HTTP_PORT`, `--port`, `default` or `not set`. */
  readonly origin: string;
  readonly description: string;
  /** True when it must be set: required, and without a default. */
  readonly required: boolean;
  readonly secret: boolean;
}

export interface DescribeConfigOptions {
  /** The only mode there is: secrets never leave the process by way of a table. */
  readonly secrets?: "hidden";
  /** The decisions about services, shown as the values of `services.<name>.enabled`. */
  readonly decisions?: readonly ServiceDecision[];
}

/** One row per leaf in the order of the sections; `resolution` may be missing for plain docs. */
export function describeConfig(
  sections: readonly ConfigSection[],
  resolution?: ConfigResolution,
  options: DescribeConfigOptions = {},
): ConfigRow[] {
  const rowsOf = (node: ConfigNode): ConfigRow[] => {
    switch (node.kind) {
      case "leaf":
        return [leafRow(node, resolution)];
      case "branch":
        return [...reservedFirst(node.children.values())].flatMap(rowsOf);
      case "reserved":
        return enabledRow(node, options.decisions);
      case "passed-over":
        return [];
    }
  };
  return rowsOf(buildConfigTree(sections).root);
}

function leafRow(leaf: ConfigLeaf, resolution: ConfigResolution | undefined): ConfigRow {
  const origin = resolution?.origins.get(leaf.pointer);
  const value = origin === undefined ? undefined : getAtPointer(resolution?.values, leaf.pointer);
  const hide = (shown: unknown): unknown => (leaf.secret && shown !== undefined ? REDACTED : shown);
  return {
    name: leaf.name,
    pointer: leaf.pointer,
    env: leaf.env,
    type: typeText(leaf.schema),
    default: hide(leaf.default),
    value: hide(value),
    origin: origin === undefined ? "not set" : originText(origin),
    description: leaf.description ?? "",
    required: leaf.required && leaf.default === undefined,
    secret: leaf.secret,
  };
}

/** `enabled` is a row of every service; `from` is how a service is found, no setting of it. */
function enabledRow(
  node: ReservedKey,
  decisions: readonly ServiceDecision[] | undefined,
): ConfigRow[] {
  const [, service = "", key] = node.path;
  if (key !== "enabled") return [];
  const decision = decisions?.find((candidate) => candidate.name === service);
  const description = node.schema["description"];
  return [
    {
      name: node.name,
      pointer: node.pointer,
      env: serviceEnabledVariable(service),
      type: typeText(node.schema),
      default: undefined,
      value: decision?.enabled,
      origin: decision?.because ?? "not set",
      description: typeof description === "string" ? description : "",
      required: false,
      secret: false,
    },
  ];
}

function reservedFirst(nodes: Iterable<ConfigNode>): ConfigNode[] {
  const all = [...nodes];
  const reserved = all.filter((node) => node.kind === "reserved");
  return [...reserved, ...all.filter((node) => node.kind !== "reserved")];
}
