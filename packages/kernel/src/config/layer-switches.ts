/**
 * The switches of whole layers: the section `enable`, and the check that no layer stands on one
 * that was switched off.
 */

import { getAtPointer } from "../schema/pointer.ts";
import { layerVariables } from "./env-names.ts";
import { originText } from "./problems.ts";
import type { ConfigProblem, Origin } from "./problems.ts";
import type { ConfigSources } from "./read-sources.ts";
import { resolveConfig, sectionValue } from "./resolve.ts";
import type { ConfigResolution } from "./resolve.ts";
import type { ConfigSection } from "./sections.ts";

/**
 * The section `enable` with the layers' switches. The host lists it among its sections, so that it
 * shows up in the file's schema, in the documentation and beside its origin.
 */
export const enableSection: ConfigSection = Object.freeze({
  path: ["enable"],
  envPrefix: "BANYAN_ENABLE",
  envNames: Object.fromEntries(
    Object.entries(layerVariables).map(([layer, name]) => [`/layers/${layer}`, name]),
  ),
  schema: {
    type: "object",
    description: "Which layers of services this node runs.",
    required: ["layers"],
    properties: {
      layers: {
        type: "object",
        required: Object.keys(layerVariables),
        properties: {
          L1: layerSwitch("app foundation"),
          L2: layerSwitch("game foundation"),
          L3: layerSwitch("app features"),
          L4: layerSwitch("game features"),
          L5: layerSwitch("extensions"),
        },
      },
    },
  },
});

function layerSwitch(layer: string): object {
  return { type: "boolean", default: true, description: `Run the services of the ${layer} layer.` };
}

/** The layers that must not be switched off while services of this one run. */
const layerNeeds: Readonly<Record<string, readonly (keyof typeof layerVariables)[]>> = {
  L2: ["L1"],
  L3: ["L1"],
  L4: ["L1", "L2"],
};

/** Where a layer's switch stands in the configuration tree. */
export function layerSwitchPointer(layer: string): string {
  return `/enable/layers/${layer}`;
}

/** Resolves the section `enable` alone, before anything else of the configuration is known. */
export function resolveLayers({ flags, env, files }: ConfigSources): ConfigResolution {
  const sources = {
    flags: (flags ?? []).filter(({ pointer }) => /^\/enable(?:\/|$)/.test(pointer)),
    env: onlyLayers(env),
    files: onlyEnable(files),
  };
  return resolveConfig({ sections: [enableSection], sources });
}

/** True unless the layer was switched off; infrastructure has no switch. */
export function layerIsOn(layers: ConfigResolution, layer: string): boolean {
  return getAtPointer(sectionValue(layers, ["enable"]), `/layers/${layer}`) !== false;
}

/** What was decided about one service. */
export interface LayerVerdict {
  readonly layer: string;
  readonly enabled: boolean;
  /** True when only its layer's switch, or nothing, spoke of it. */
  readonly byLayer: boolean;
}

/**
 * A layer that was switched off as a whole while a layer that stands on it runs. Services chosen
 * by name are left alone: a fleet may well split layers over nodes, and says so by name.
 */
export function layerProblems(
  verdicts: readonly LayerVerdict[],
  layers: ConfigResolution,
): ConfigProblem[] {
  return Object.entries(layerNeeds).flatMap(([upper, lowers]) => {
    const runs = verdicts.some((v) => v.byLayer && v.enabled && v.layer === upper);
    if (!runs) return [];
    return lowers
      .filter((lower) => !layerIsOn(layers, lower))
      .filter((lower) => !verdicts.some((v) => v.enabled && v.layer === lower))
      .map((lower) => layerProblem(upper, lower, layers.origins.get(layerSwitchPointer(lower))));
  });
}

function layerProblem(upper: string, lower: string, origin: Origin | undefined): ConfigProblem {
  const names: Readonly<Record<string, string>> = layerVariables;
  const lead = origin === undefined ? "" : `${originText(origin)}: `;
  return {
    pointer: layerSwitchPointer(lower),
    ...(origin === undefined ? {} : { origin }),
    message: `${lead}layer ${lower} is switched off while ${upper}, which stands on it, runs.`,
    fix:
      `Switch ${lower} on, or switch ${upper} off as well ` +
      `(${names[upper] ?? upper}=false, or enable.layers.${upper}: false in the file).`,
  };
}

/** Only the layers' own variables: every other one is the business of the whole resolution. */
function onlyLayers(env: ConfigSources["env"]): Record<string, string | undefined> {
  return Object.fromEntries(Object.values(layerVariables).map((name) => [name, env?.[name]]));
}

function onlyEnable(files: ConfigSources["files"]): NonNullable<ConfigSources["files"]> {
  return (files ?? []).map((file) => {
    const enable = getAtPointer(file.tree, "/enable");
    return { ...file, tree: enable === undefined ? undefined : { enable } };
  });
}
