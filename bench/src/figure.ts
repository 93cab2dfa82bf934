/** A figure in three digits, with the suffix that people say: 1.23 M, 45.6 k, 0.789. */

export function formatFigure(value: number): string {
  const size = Math.abs(value);
  if (size >= 999_500) return `${threeDigits(value / 1e6)} M`;
  if (size >= 10_000) return `${threeDigits(value / 1e3)} k`;
  return threeDigits(value);
}

function threeDigits(value: number): string {
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
