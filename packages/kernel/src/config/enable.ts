/**
 * Which of the known services a node runs, decided before any of them is loaded.
 *
 * First match: always on > `--services` > a flag for `services.<name>.enabled` >
 * `BANYAN_<SERVICE>_ENABLED` > `services.<name>.enabled` in the file > `BANYAN_SERVICES_ENABLED` >
 * the layer's switch > on. Only names and layers are needed,
 * so a service that is off is never imported.
 */

import { encodePointer } from "../schema/pointer.ts";
import { SERVICES_ENABLED_VARIABLE } from "./env-names.ts";
import { layerIsOn, layerProblems, layerSwitchPointer, resolveLayers } from "./layer-switches.ts";
import { mergeProblems, originText } from "./problems.ts";
import type { ConfigProblem, Origin } from "./problems.ts";
import type { ConfigResolution } from "./resolve.ts";
import { readListFlag, readMasterSwitch, readOwnSwitch } from "./service-switches.ts";
import type {
  DecideEnabledInput,
  OwnSwitch,
  ServiceCandidate,
  ServiceList,
} from "./service-switches.ts";

/** Whether one service runs, and the place that decided it. */
export interface ServiceDecision {
  readonly name: string;
  readonly enabled: boolean;
  /** `BANYAN_GREETER_ENABLED=false`, `banyan.yaml:7`, `--services greeter`, `default` … */
  readonly because: string;
}

/** All decisions in the order of the services, and what is wrong with the switches. */
export interface EnableDecision {
  readonly services: readonly ServiceDecision[];
  readonly problems: readonly ConfigProblem[];
}

/** Decides which services run. */
export function decideEnabled(input: DecideEnabledInput): EnableDecision {
  const problems: ConfigProblem[] = [];
  const switches: Switches = {
    flag: readListFlag(input, problems),
    master: readMasterSwitch(input, problems),
    layers: resolveLayers({
      flags: input.flags?.set ?? [],
      env: input.env ?? {},
      files: input.files ?? [],
    }),
  };
  const verdicts = input.services.map((service) => {
    const own = readOwnSwitch(input, service.name, problems);
    if (service.infrastructureAlwaysOn === true) {
      if (own?.enabled === false) problems.push(cannotBeOff(service.name, own.origin));
      return { service, enabled: true, because: "always on", byLayer: false };
    }
    return { service, ...verdict(service, own, switches) };
  });
  return {
    services: verdicts.map(({ service, enabled, because }) => ({
      name: service.name,
      enabled,
      because,
    })),
    problems: mergeProblems(
      problems,
      switches.layers.problems,
      layerProblems(
        verdicts.map((v) => ({ ...v, layer: v.service.layer })),
        switches.layers,
      ),
    ),
  };
}

interface Switches {
  readonly flag: ServiceList | undefined;
  readonly master: ServiceList | boolean | undefined;
  readonly layers: ConfigResolution;
}

interface Verdict {
  readonly enabled: boolean;
  readonly because: string;
  /** True when no narrower switch spoke: such services show whether a layer is on. */
  readonly byLayer: boolean;
}

function verdict(
  service: ServiceCandidate,
  own: OwnSwitch | undefined,
  { flag, master, layers }: Switches,
): Verdict {
  const { name, layer } = service;
  if (flag !== undefined) {
    return { enabled: flag.names.has(name), because: flag.because, byLayer: false };
  }
  if (own !== undefined) {
    return { enabled: own.enabled, because: switchText(own.origin, own.enabled), byLayer: false };
  }
  if (master === false) {
    return { enabled: false, because: `${SERVICES_ENABLED_VARIABLE}=false`, byLayer: false };
  }
  if (typeof master === "object") {
    return { enabled: master.names.has(name), because: master.because, byLayer: false };
  }
  const enabled = layerIsOn(layers, layer);
  const origin = layers.origins.get(layerSwitchPointer(layer));
  const set = origin !== undefined && origin.kind !== "default";
  return { enabled, because: set ? switchText(origin, enabled) : "default", byLayer: true };
}

/** A flag or a variable is shown with what it says, a file by its line. */
function switchText(origin: Origin, enabled: boolean): string {
  if (origin.kind !== "file") return `${origin.name}=${String(enabled)}`;
  return origin.line === undefined ? origin.name : `${origin.name}:${origin.line}`;
}

function cannotBeOff(service: string, origin: Origin): ConfigProblem {
  return {
    pointer: encodePointer(["services", service, "enabled"]),
    origin,
    message: `${originText(origin)}: ${service} is always on and cannot be switched off.`,
    fix: `Remove the switch: every node stands on ${service}.`,
  };
}
