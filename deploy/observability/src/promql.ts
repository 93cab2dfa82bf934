/**
 * Which metrics a PromQL expression names, and which labels it expects of each: those it matches,
 * those it groups by, those it joins on. What is grouped or joined concerns every metric below.
 *
 * A parser, not a search for words: `sum by (le) (rate(a[5m])) / on (job) b` expects `le` and `job`
 * of `a`, and `job` alone of `b`. What makes labels up (`label_replace`) or hides names
 * (`{__name__=~"…"}`) is refused, so that nothing passes unseen.
 */

import { readTokens } from "./promql-tokens.ts";
import type { Token } from "./promql-tokens.ts";

export interface Mention {
  readonly metric: string;
  /** As written: `a{x="1"}`. */
  readonly selector: string;
  readonly labels: ReadonlySet<string>;
}

interface OpenMention extends Mention {
  readonly labels: Set<string>;
}

const aggregations = new Set(
  "sum avg min max count group stddev stdvar topk bottomk quantile count_values".split(" "),
);
const refused = new Set(["label_replace", "label_join", "count_values"]);

/** How strongly each binds, as Prometheus documents it; `^` alone from the right. */
const strengths = new Map<string, number>([
  ["or", 1],
  ["and", 2],
  ["unless", 2],
  ...["==", "!=", "<=", ">=", "<", ">"].map((mark) => [mark, 3] as const), // pairs
  ["+", 4],
  ["-", 4],
  ["*", 5],
  ["/", 5],
  ["%", 5],
  ["atan2", 5],
  ["^", 6],
]);

/** @throws SyntaxError where Prometheus would refuse it, or where a name would stay hidden */
export function readMentions(expr: string): Mention[] {
  const reader = new Reader(expr);
  const mentions = reader.expression(1);
  reader.end();
  return mentions;
}

class Reader {
  readonly #expr: string;
  readonly #tokens: readonly Token[];
  #next = 0;

  constructor(expr: string) {
    this.#expr = expr;
    this.#tokens = readTokens(expr);
  }

  end(): void {
    if (this.#peek() !== undefined) throw this.#unexpected();
  }

  expression(weakest: number): OpenMention[] {
    let left = this.#unary();
    for (;;) {
      const operator = this.#peek()?.text ?? "";
      const strength = strengths.get(operator);
      if (strength === undefined || strength < weakest) return left;
      this.#next += 1;
      this.#take("bool");
      const joining = this.#joining();
      const right = this.expression(operator === "^" ? strength : strength + 1);
      expect([...left, ...right], joining.on);
      expect(joining.one === "left" ? left : right, joining.brought);
      left = [...left, ...right];
    }
  }

  /** `on (job) group_left (version)`; what is ignored need not be there. */
  #joining(): { on: string[]; brought: string[]; one: "left" | "right" } {
    const on = this.#take("on") ? this.#labels() : [];
    if (this.#take("ignoring")) this.#labels();
    for (const one of ["right", "left"] as const) {
      // group_left: many on the left, one on the right.
      if (!this.#take(one === "right" ? "group_left" : "group_right")) continue;
      return { on, brought: this.#peek()?.text === "(" ? this.#labels() : [], one };
    }
    return { on, brought: [], one: "right" };
  }

  #unary(): OpenMention[] {
    if (this.#take("-") || this.#take("+")) return this.expression(5);
    const mentions = this.#atom();
    for (;;) {
      if (this.#take("[")) this.#skipTo("]");
      else if (this.#take("offset")) {
        this.#take("-");
        this.#next += 1;
      } else if (this.#take("@")) {
        this.#next += 1;
        if (this.#take("(")) this.#need(")");
      } else return mentions;
    }
  }

  #atom(): OpenMention[] {
    const token = this.#peek();
    if (token === undefined) throw this.#unexpected();
    if (token.text === "{" && token.kind === "mark")
      throw this.#refuse("a selector without a name");
    this.#next += 1;
    if (token.kind === "number" || token.kind === "string") return [];
    if (token.kind === "mark") {
      if (token.text !== "(") throw this.#unexpected(token);
      const inside = this.expression(1);
      this.#need(")");
      return inside;
    }
    if (/^(?:inf|nan)$/i.test(token.text)) return [];
    if (refused.has(token.text)) throw this.#refuse(token.text);
    if (aggregations.has(token.text)) return this.#aggregation();
    return this.#peek()?.text === "(" ? this.#call() : [this.#selector(token)];
  }

  /** `sum by (job) (a)` and `sum (a) by (job)`. */
  #aggregation(): OpenMention[] {
    const before = this.#grouping();
    const mentions = this.#call();
    expect(mentions, before ?? this.#grouping() ?? []);
    return mentions;
  }

  #grouping(): string[] | undefined {
    return this.#take("by") || this.#take("without") ? this.#labels() : undefined;
  }

  #call(): OpenMention[] {
    const mentions: OpenMention[] = [];
    this.#need("(");
    while (!this.#take(")")) {
      mentions.push(...this.expression(1));
      if (this.#peek()?.text !== ")") this.#need(",");
    }
    return mentions;
  }

  #selector({ text: metric, at }: Token): OpenMention {
    const labels = this.#take("{") ? this.#matchers() : new Set<string>();
    const end = this.#tokens[this.#next - 1]?.end;
    return { metric, labels, selector: this.#expr.slice(at, end) };
  }

  #matchers(): Set<string> {
    const labels = new Set<string>();
    while (!this.#take("}")) {
      const label = this.#word();
      if (label === "__name__") throw this.#refuse("a match of names");
      labels.add(label);
      if (!["=", "!=", "=~", "!~"].some((mark) => this.#take(mark))) throw this.#unexpected();
      if (this.#peek()?.kind !== "string") throw this.#unexpected();
      this.#next += 1;
      if (this.#peek()?.text !== "}") this.#need(",");
    }
    return labels;
  }

  #labels(): string[] {
    const labels: string[] = [];
    this.#need("(");
    while (!this.#take(")")) {
      labels.push(this.#word());
      if (this.#peek()?.text !== ")") this.#need(",");
    }
    return labels;
  }

  #word(): string {
    const token = this.#peek();
    if (token?.kind !== "word") throw this.#unexpected();
    this.#next += 1;
    return token.text;
  }

  #skipTo(mark: string): void {
    while (!this.#take(mark)) {
      if (this.#peek() === undefined) throw this.#unexpected();
      this.#next += 1;
    }
  }

  #peek(): Token | undefined {
    return this.#tokens[this.#next];
  }

  #take(text: string): boolean {
    const token = this.#peek();
    if (token === undefined || token.kind === "string" || token.text !== text) return false;
    this.#next += 1;
    return true;
  }

  #need(text: string): void {
    if (!this.#take(text)) throw this.#unexpected();
  }

  #unexpected(token = this.#peek()): SyntaxError {
    const found = token === undefined ? "the end" : `"${token.text}" at ${token.at}`;
    return new SyntaxError(`${found} was not expected in ${this.#expr}`);
  }

  #refuse(what: string): SyntaxError {
    return new SyntaxError(`${what} hides names or labels, in ${this.#expr}`);
  }
}

function expect(mentions: readonly OpenMention[], labels: readonly string[]): void {
  for (const { labels: expected } of mentions) for (const label of labels) expected.add(label);
}
