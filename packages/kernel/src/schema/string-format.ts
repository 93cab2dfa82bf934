// The `format` keyword. A format is a promise to the handler, so each one is checked, and a format
// that is not known is refused when the schema is compiled instead of being skipped.

export interface StringFormat {
  readonly name: string;
  /** How a person says it, with an example where the form is not obvious. */
  readonly expected: string;
  readonly test: (text: string) => boolean;
}

const TEXT_MAX = 4096; // Longer texts are no address, name or date; bounds every pattern below.

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/u;
const TIME = /^(\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[zZ]|([+-])(\d{2}):(\d{2}))$/u;
const DURATION =
  /^P(?:\d+W|(?=.)(?:\d+Y)?(?:\d+M)?(?:\d+D)?(?:T(?=\d)(?:\d+H)?(?:\d+M)?(?:\d+S)?)?)$/u;
const EMAIL_LOCAL = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/u;
const HOST_LABEL = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/u;
const OCTET = /^(?:0|[1-9]\d{0,2})$/u;
const HEX_GROUP = /^[0-9A-Fa-f]{1,4}$/u;
const UUID = /^[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}$/u;
const SCHEME = /^[A-Za-z][A-Za-z0-9+.-]*:/u;
// RFC 3986: unreserved, reserved and percent-encoded characters; brackets only around a host.
const URI_TEXT = /^(?:[A-Za-z0-9\-._~:/?#@!$&'()*+,;=[\]]|%[0-9A-Fa-f]{2})*$/u;
const AUTHORITY = /^(?:[^@[\]/?#]*@)?(?:\[([^\]]*)\]|[^@:[\]/?#]*)(?::\d*)?$/u;
const POINTER = /^(?:\/(?:[^~/]|~[01])*)*$/u;

/** Every format by name. */
export const STRING_FORMATS: ReadonlyMap<string, StringFormat> = new Map(
  [
    format("date-time", "a date and time like 2026-01-31T12:00:00Z", isDateTime),
    format("date", "a date like 2026-01-31", isDate),
    format("time", "a time like 12:00:00Z", isTime),
    format("duration", "a duration like PT1H30M", (text) => DURATION.test(text)),
    format("email", "an email address", isEmail),
    format("hostname", "a host name", isHostname),
    format("ipv4", "an IPv4 address", isIpv4),
    format("ipv6", "an IPv6 address", isIpv6),
    format("uri", "an absolute URI", (text) => SCHEME.test(text) && isUriReference(text)),
    format("uri-reference", "a URI or a relative reference", isUriReference),
    format("uuid", "a UUID", (text) => UUID.test(text)),
    format("json-pointer", 'a JSON pointer like /items/0 or ""', (text) => POINTER.test(text)),
    format("regex", "a regular expression", isRegex),
  ].map((entry) => [entry.name, entry]),
);

function format(name: string, expected: string, test: (text: string) => boolean): StringFormat {
  return { name, expected, test: (text) => text.length <= TEXT_MAX && test(text) };
}

function isDate(text: string): boolean {
  const match = DATE.exec(text);
  if (match === null) return false;
  const [year, month, day] = [Number(match[1]), Number(match[2]), Number(match[3])];
  return month >= 1 && month <= 12 && day >= 1 && day <= daysOf(year, month);
}

function daysOf(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

function isTime(text: string): boolean {
  const match = TIME.exec(text);
  if (match === null) return false;
  const [hour, minute, second] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const offsetHour = Number(match[5] ?? 0);
  const offsetMinute = Number(match[6] ?? 0);
  if (hour > 23 || minute > 59 || offsetHour > 23 || offsetMinute > 59) return false;
  if (second <= 59) return true;
  // A leap second stands only at 23:59:60 UTC (RFC 3339, section 5.7).
  const offset = (offsetHour * 60 + offsetMinute) * (match[4] === "-" ? -1 : 1);
  const utcMinute = (((hour * 60 + minute - offset) % 1440) + 1440) % 1440;
  return second === 60 && utcMinute === 1439;
}

function isDateTime(text: string): boolean {
  const separator = text[10];
  if (separator !== "T" && separator !== "t") return false;
  return isDate(text.slice(0, 10)) && isTime(text.slice(11));
}

function isEmail(text: string): boolean {
  const at = text.lastIndexOf("@");
  const local = text.slice(0, at);
  if (at < 1 || local.length > 64 || !EMAIL_LOCAL.test(local)) return false;
  return isHostname(text.slice(at + 1));
}

function isHostname(text: string): boolean {
  return text.length <= 253 && text.split(".").every((label) => HOST_LABEL.test(label));
}

function isIpv4(text: string): boolean {
  const octets = text.split(".");
  return octets.length === 4 && octets.every((octet) => OCTET.test(octet) && Number(octet) <= 255);
}

function isIpv6(text: string): boolean {
  if (text.length > 45) return false;
  const halves = text.split("::");
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === "" ? [] : half.split(":")));
  const last = groups.at(-1);
  let count = groups.length;
  if (last !== undefined && last.includes(".")) {
    // The dotted form stands for the last two groups, never before "::".
    if (halves.length === 2 && halves[1] === "") return false;
    if (!isIpv4(last)) return false;
    groups.pop();
    count += 1;
  }
  if (!groups.every((group) => HEX_GROUP.test(group))) return false;
  return halves.length === 2 ? count <= 7 : count === 8;
}

function isUriReference(text: string): boolean {
  if (!URI_TEXT.test(text)) return false;
  const [beforeFragment = "", ...fragments] = text.split("#");
  if (fragments.length > 1 || /[[\]]/u.test(fragments.join(""))) return false;
  const rest = beforeFragment.replace(SCHEME, "");
  const hierarchical = rest.startsWith("//");
  const authority = hierarchical ? (/^[^/?]*/u.exec(rest.slice(2))?.[0] ?? "") : "";
  const path = hierarchical ? rest.slice(2 + authority.length) : rest;
  if (/[[\]]/u.test(path)) return false;
  // Without a scheme the first segment of a relative path has no colon.
  if (rest === beforeFragment && !hierarchical && /^[^/?]*:/u.test(rest)) return false;
  const match = AUTHORITY.exec(authority);
  if (match === null) return false;
  return match[1] === undefined || isIpv6(match[1]) || /^v[0-9A-Fa-f]+\.\S+$/u.test(match[1]);
}

function isRegex(text: string): boolean {
  try {
    new RegExp(text, "u");
    return true;
  } catch {
    // Not being readable is the answer, not a failure.
    return false;
  }
}
