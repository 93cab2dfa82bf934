/** The headers of a message that are the bus's own, or the server's; a publisher has all others. */

/** What only the bus needs. */
export const own = {
  timestamp: "x-banyan-timestamp",
  topic: "x-banyan-topic",
  key: "x-banyan-ordering-key",
  source: "x-banyan-source",
  due: "x-banyan-due",
  expires: "x-banyan-expires",
  attempt: "x-banyan-attempt",
  failures: "x-banyan-failures",
  retry: "x-banyan-retry",
  queued: "x-banyan-queued",
  life: "x-banyan-life",
  priority: "x-banyan-priority",
  damage: "x-banyan-damage",
} as const;

/** Those that say what the message is, and not how far it came. */
export const ofMessage: ReadonlySet<string> = new Set([
  own.timestamp,
  own.key,
  own.source,
  own.expires,
  own.damage,
]);

/** The server reads these, or writes them. */
const serverHeaders = new Set(["CC", "BCC", "x-death", "x-delivery-count", "x-stream-offset"]);
const serverHeaderPattern = /^x-(?:first|last)-death-/;

/** Not a publisher's to set. */
export function isReserved(name: string): boolean {
  return (
    name.startsWith("x-banyan-") ||
    serverHeaders.has(name) ||
    serverHeaderPattern.test(name) ||
    name.length > 255 ||
    Buffer.byteLength(name) > 255
  );
}

export function textAt(
  headers: Readonly<Record<string, unknown>>,
  name: string,
): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

export function numberAt(
  headers: Readonly<Record<string, unknown>>,
  name: string,
): number | undefined {
  const value = headers[name];
  return typeof value === "number" ? value : undefined;
}

/** A stranger's header: a number, a table. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}
