/** PromQL as tokens: what Prometheus's own lexer makes of an expression, as far as rules go. */

export interface Token {
  readonly kind: "word" | "number" | "string" | "mark";
  /** A string's content, anything else as written. */
  readonly text: string;
  /** Where it begins. */
  readonly at: number;
  /** Behind its last character. */
  readonly end: number;
}

/** In this order: the first that fits is it. */
const patterns: readonly (readonly [Token["kind"] | "space", RegExp])[] = [
  ["space", /(?:\s+|#[^\n]*)/y],
  ["string", /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`[^`]*`/y],
  // A duration is a number that goes on: 5m, 1h30m.
  ["number", /0x[\da-f]+|(?:\d+(?:ms|[smhdwy]))+|(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/iy],
  ["word", /[a-zA-Z_:][\w:]*/y],
  ["mark", /=~|!~|==|!=|<=|>=|[-+*/%^<>=(){}[\],@:]/y],
];

/** @throws SyntaxError where it is none of PromQL */
export function readTokens(expr: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < expr.length) {
    const found = tokenAt(expr, at);
    if (found === undefined) {
      throw new SyntaxError(`"${expr.slice(at, at + 20)}" is no PromQL, in ${expr}`);
    }
    const { kind, text } = found;
    const end = at + text.length;
    if (kind !== "space") {
      tokens.push({ kind, text: kind === "string" ? contentOf(text) : text, at, end });
    }
    at = end;
  }
  return tokens;
}

function tokenAt(
  expr: string,
  at: number,
): { kind: Token["kind"] | "space"; text: string } | undefined {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const text = pattern.exec(expr)?.[0];
    if (text !== undefined) return { kind, text };
  }
  return undefined;
}

/** Escapes matter to no one here but the backslash itself: labels are names. */
function contentOf(quoted: string): string {
  const inside = quoted.slice(1, -1);
  return quoted.startsWith("`") ? inside : inside.replace(/\\(.)/g, "$1");
}
