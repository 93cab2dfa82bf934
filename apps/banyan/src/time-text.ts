/** Times for people: how long, how long ago, and when in local time. */

/** `84 µs`, `3.21 ms`, `412 ms`, `1.25 s`, `12.5 min`: three digits that count. */
export function durationText(durationMs: number): string {
  if (!(durationMs > 0)) return "0 ms";
  if (durationMs < 0.9995) return `${Math.max(1, Math.round(durationMs * 1000))} µs`;
  if (durationMs < 999.5) return `${threeDigits(durationMs)} ms`;
  const seconds = durationMs / 1000;
  if (seconds < 120) return `${threeDigits(seconds)} s`;
  return seconds < 7200 ? `${threeDigits(seconds / 60)} min` : `${threeDigits(seconds / 3600)} h`;
}

function threeDigits(value: number): string {
  if (value < 9.995) return value.toFixed(2);
  return value < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

/** `-`, `12 ms`, `3 s`, `5 min`, `7 h`, `3 d`: whole and near enough. */
export function ageText(ageMs: number): string {
  if (ageMs < 1) return "-";
  if (ageMs < 1000) return `${Math.round(ageMs)} ms`;
  const seconds = Math.round(ageMs / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

/** `3 s ago`. Another machine's clock may be ahead of this one. */
export function agoText(iso: string, nowMs: number): string {
  const ageMs = nowMs - Date.parse(iso);
  if (Number.isNaN(ageMs)) return "";
  return ageMs < 1000 ? "just now" : `${ageText(ageMs)} ago`;
}

/** `12:00:01.234` in local time; what is no time stays as it is. */
export function clockText(iso: string): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return iso;
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(":");
  return `${clock}.${String(time.getMilliseconds()).padStart(3, "0")}`;
}

/** The same with its day, `2026-03-14 12:00:01.234`, where that is not the day of `nowMs`. */
export function whenText(iso: string, nowMs: number): string {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime()) || dayText(time) === dayText(new Date(nowMs))) {
    return clockText(iso);
  }
  return `${dayText(time)} ${clockText(iso)}`;
}

function dayText(time: Date): string {
  return [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join("-");
}

function two(part: number): string {
  return String(part).padStart(2, "0");
}
