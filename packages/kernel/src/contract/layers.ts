/**
 * Layers: who may depend on whom.
 *
 * A partial order, not a stack: L3 (features of any app) is a branch beside L2 (the game's
 * foundation). An edge is *hard* (`uses`: the node refuses to become ready without a provider) or
 * *soft* (`optional`, events, extension points' callers).
 */

export const Layer = {
  Infrastructure: "L0",
  AppFoundation: "L1",
  GameFoundation: "L2",
  AppFeatures: "L3",
  GameFeatures: "L4",
  Extensions: "L5",
} as const;
export type Layer = (typeof Layer)[keyof typeof Layer];

interface LayerRule {
  readonly name: string;
  /** Layers whose services it may require. */
  readonly hard: readonly Layer[];
  /** Layers whose services it may use when they are there; holds the hard ones too. */
  readonly soft: readonly Layer[];
}

/** The whole law of dependencies. */
export const layers: Readonly<Record<Layer, LayerRule>> = Object.freeze({
  L0: { name: "infrastructure", hard: ["L0"], soft: ["L0"] },
  L1: { name: "app-foundation", hard: ["L0", "L1"], soft: ["L0", "L1"] },
  L2: { name: "game-foundation", hard: ["L0", "L1", "L2"], soft: ["L0", "L1", "L2"] },
  L3: { name: "app-features", hard: ["L0", "L1"], soft: ["L0", "L1", "L3"] },
  L4: {
    name: "game-features",
    hard: ["L0", "L1", "L2"],
    soft: ["L0", "L1", "L2", "L3", "L4"],
  },
  L5: {
    name: "extensions",
    hard: ["L0", "L1", "L2", "L5"],
    soft: ["L0", "L1", "L2", "L3", "L4", "L5"],
  },
});

/** True for `"L0"` … `"L5"`. */
export function isLayer(value: unknown): value is Layer {
  return typeof value === "string" && Object.hasOwn(layers, value);
}

/** May a service of layer `from` depend on one of layer `to`, hard or soft? */
export function isEdgeAllowed(from: Layer, to: Layer, strength: "hard" | "soft"): boolean {
  return layers[from][strength].includes(to);
}
