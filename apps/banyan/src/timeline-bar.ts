/** Bars drawn to scale, half a character exact. */

export interface Stretch {
  readonly startMs: number;
  readonly durationMs: number;
}

export interface Scale {
  readonly startMs: number;
  readonly endMs: number;
  /** Width of the whole in characters. */
  readonly cells: number;
}

/** Empty, left half, right half, both. */
const blocks = [" ", "▌", "▐", "█"] as const;

/**
 * A line of `cells` characters with a block wherever one of the stretches is. Each has at least
 * half a block, however short it is; what lies outside of the scale is drawn at its edge.
 */
export function timelineBar(stretches: readonly Stretch[], scale: Scale): string {
  const { startMs, endMs, cells } = scale;
  const halves = 2 * cells;
  const perMs = endMs > startMs ? halves / (endMs - startMs) : 0;
  const filled = new Uint8Array(halves);
  for (const stretch of stretches) {
    const from = within(Math.round((stretch.startMs - startMs) * perMs), halves - 1);
    const end = (stretch.startMs + stretch.durationMs - startMs) * perMs;
    filled.fill(1, from, Math.max(from + 1, within(Math.round(end), halves)));
  }
  let bar = "";
  for (let half = 0; half < halves; half += 2) {
    bar += blocks[(filled[half] ?? 0) + 2 * (filled[half + 1] ?? 0)] ?? " ";
  }
  return bar;
}

function within(value: number, max: number): number {
  return Math.min(max, Math.max(0, value));
}
