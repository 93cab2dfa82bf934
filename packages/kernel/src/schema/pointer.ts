// JSON Pointer (RFC 6901): how every issue, access rule and document names a place in a value.

/** Escapes one reference token: `~` becomes `~0`, `/` becomes `~1`. */
export function encodePointerToken(token: string): string {
  if (!token.includes("~") && !token.includes("/")) return token;
  return token.replaceAll("~", "~0").replaceAll("/", "~1");
}

/** The pointer of a path; the empty path is `""`, the whole value. */
export function encodePointer(path: readonly (string | number)[]): string {
  let pointer = "";
  for (const token of path) pointer += `/${encodePointerToken(String(token))}`;
  return pointer;
}

/**
 * The reference tokens of a pointer, or `undefined` when the text is no pointer (it must be empty
 * or start with `/`, and `~` may stand only before `0` or `1`).
 */
export function parsePointer(pointer: string): string[] | undefined {
  if (pointer === "") return [];
  if (!pointer.startsWith("/") || /~(?![01])/u.test(pointer)) return undefined;
  // The order matters: "~01" means "~1", so "~1" is undone before "~0".
  return pointer
    .slice(1)
    .split("/")
    .map((token) => token.replaceAll("~1", "/").replaceAll("~0", "~"));
}

/**
 * The value at a pointer, or `undefined` when there is nothing. Reads own properties alone, so
 * `/constructor` never leaves the value. Array indices are written without leading zeros.
 */
export function getAtPointer(value: unknown, pointer: string): unknown {
  const path = parsePointer(pointer);
  if (path === undefined) return undefined;
  let current: unknown = value;
  for (const token of path) {
    if (Array.isArray(current)) {
      if (!/^(?:0|[1-9]\d*)$/u.test(token)) return undefined;
      current = current[Number(token)];
    } else if (typeof current === "object" && current !== null && Object.hasOwn(current, token)) {
      // An object that is no array may be read as a record of unknown values.
      current = (current as Record<string, unknown>)[token];
    } else {
      return undefined;
    }
  }
  return current;
}
