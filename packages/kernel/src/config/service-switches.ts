/**
 * Reads the switches that name services: `--services`, `BANYAN_SERVICES_ENABLED`,
 * `BANYAN_<SERVICE>_ENABLED` and `services.<name>.enabled` in the file.
 */

import type { Layer } from "../contract/layers.ts";
import { nearest } from "../schema/nearest.ts";
import { encodePointer, getAtPointer } from "../schema/pointer.ts";
import { checkValue, refusedProblem } from "./check-value.ts";
import { convertText, parseBooleanWord } from "./convert.ts";
import { SERVICES_ENABLED_VARIABLE, serviceEnabledVariable } from "./env-names.ts";
import { compareText, originText } from "./problems.ts";
import type { ConfigProblem, Origin } from "./problems.ts";
import type { ConfigFlag, ConfigSources } from "./read-sources.ts";
import { dottedName, reservedServiceSchemas } from "./sections.ts";

/** What is known of a service before it is loaded. */
export interface ServiceCandidate {
  readonly name: string;
  readonly layer: Layer;
  /** A foundation every node stands on (state, messaging, mesh): cannot be switched off. */
  readonly infrastructureAlwaysOn?: boolean;
}

/** What {@link decideEnabled} works on. */
export interface DecideEnabledInput {
  readonly services: readonly ServiceCandidate[];
  readonly env?: ConfigSources["env"];
  readonly files?: ConfigSources["files"];
  readonly flags?: {
    /** The value of `--services`: exactly these run, besides what is always on. */
    readonly services?: string | readonly string[] | undefined;
    /** The flags for single places, the same that the resolution gets. */
    readonly set?: readonly ConfigFlag[] | undefined;
  };
}

/** Exactly these services, and the text that says where it stands. */
export interface ServiceList {
  readonly names: ReadonlySet<string>;
  readonly because: string;
}

/** What was said about one service by name. */
export interface OwnSwitch {
  readonly enabled: boolean;
  readonly origin: Origin;
}

/** `--services a,b`. */
export function readListFlag(
  input: DecideEnabledInput,
  problems: ConfigProblem[],
): ServiceList | undefined {
  const value = input.flags?.services;
  if (value === undefined) return undefined;
  const parts = typeof value === "string" ? value.split(",") : value;
  const names = parts.map((name) => name.trim()).filter((name) => name !== "");
  const origin: Origin = { kind: "flag", name: "--services" };
  problems.push(...listProblems(input.services, names, origin));
  return { names: new Set(names), because: `--services ${names.join(",")}` };
}

/** `true` is the same as unset: the layers' switches decide then. */
export function readMasterSwitch(
  input: DecideEnabledInput,
  problems: ConfigProblem[],
): ServiceList | boolean | undefined {
  const text = input.env?.[SERVICES_ENABLED_VARIABLE];
  if (text === undefined || text === "") return undefined;
  const word = parseBooleanWord(text);
  if (word !== undefined) return word;
  const names = text
    .split(",")
    .map((name) => name.trim())
    .filter((name) => name !== "");
  const origin: Origin = { kind: "env", name: SERVICES_ENABLED_VARIABLE };
  problems.push(...listProblems(input.services, names, origin));
  return { names: new Set(names), because: `${SERVICES_ENABLED_VARIABLE}=${names.join(",")}` };
}

function listProblems(
  services: readonly ServiceCandidate[],
  names: readonly string[],
  origin: Origin,
): ConfigProblem[] {
  const known = services.map((service) => service.name);
  if (names.length === 0) {
    const message = `${originText(origin)}: the list names no service.`;
    return [{ pointer: "", origin, message, fix: "Name at least one service, or leave it out." }];
  }
  return names
    .filter((name) => !known.includes(name))
    .map((name) => {
      const near = nearest(name, known);
      const list = known.toSorted(compareText).join(", ");
      return {
        pointer: "",
        origin,
        message: `${originText(origin)}: there is no service ${JSON.stringify(name)}.`,
        fix: near === undefined ? `Known services: ${list}.` : `Did you mean ${near}?`,
      };
    });
}

/** The switch of one service: a flag for it alone, else its variable, else the first file. */
export function readOwnSwitch(
  input: DecideEnabledInput,
  service: string,
  problems: ConfigProblem[],
): OwnSwitch | undefined {
  const path = ["services", service, "enabled"];
  const pointer = encodePointer(path);
  const schema = reservedServiceSchemas["enabled"] ?? {};
  const place = { path, pointer, name: dottedName(path), schema, secret: false };
  const said = strongestWord(input, pointer, serviceEnabledVariable(service));
  if (said === undefined) return undefined;
  const { origin, isText } = said;
  let { value } = said;
  if (isText && typeof value === "string") {
    const conversion = convertText(value, schema);
    if (conversion.kind === "refused") {
      problems.push(refusedProblem(place, { text: value, expected: conversion.expected, origin }));
      return undefined;
    }
    value = conversion.value;
  }
  const checked = checkValue(place, value, () => origin);
  if (checked.kind === "valid") return { enabled: checked.value === true, origin };
  problems.push(...checked.problems);
  return undefined;
}

interface Word {
  readonly value: unknown;
  readonly origin: Origin;
  /** True for flags and variables, whose text is converted; a file has types of its own. */
  readonly isText: boolean;
}

function strongestWord(
  input: DecideEnabledInput,
  pointer: string,
  variable: string,
): Word | undefined {
  const set = input.flags?.set ?? [];
  const flag = set.findLast((entry) => entry.pointer === pointer && entry.value !== undefined);
  if (flag !== undefined) {
    return { value: flag.value, origin: { kind: "flag", name: flag.flag }, isText: true };
  }
  const text = input.env?.[variable];
  if (text !== undefined && text !== "") {
    return { value: text, origin: { kind: "env", name: variable }, isText: true };
  }
  for (const file of input.files ?? []) {
    const value = getAtPointer(file.tree, pointer);
    if (value === undefined) continue;
    const origin: Origin = { kind: "file", name: file.name, ...file.locate?.(pointer) };
    return { value, origin, isText: false };
  }
  return undefined;
}
