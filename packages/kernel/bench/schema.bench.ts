// How fast schemas parse and copy; run it with
// `node --conditions=source packages/kernel/bench/schema.bench.ts`.
// Beside it ajv, which validates and does not copy, and the copy that everybody has: JSON.
import { Ajv2020 } from "ajv/dist/2020.js";
import { compileSchema } from "../src/schema/compile.ts";
import type { Issue } from "../src/schema/issue.ts";
import { t } from "../src/schema/t.ts";

const ROUNDS = 9;
const ROUND_MS = 120;

const small = t.Object({ name: t.String({ minLength: 1, maxLength: 64 }) });
const nested = t.Object({
  id: t.String({ minLength: 1 }),
  name: t.String({ minLength: 1, maxLength: 64 }),
  count: t.Integer({ minimum: 0 }),
  ratio: t.Number(),
  active: t.Boolean(),
  kind: t.Enum(["a", "b", "c"]),
  note: t.Optional(t.String()),
  tags: t.Array(t.String(), { maxItems: 8 }),
  place: t.Object({ x: t.Number(), y: t.Number(), label: t.Optional(t.String()) }),
  owner: t.Object({ id: t.String(), level: t.Integer() }),
});
const event = t.Union([
  t.Object({ type: t.Literal("moved"), x: t.Number(), y: t.Number() }),
  t.Object({ type: t.Literal("said"), text: t.String({ maxLength: 500 }) }),
]);
const both = t.Intersect([small, t.Object({ count: t.Integer() })]);

const cases: readonly (readonly [string, object, unknown])[] = [
  ["one string", small, { name: "Ada" }],
  [
    "ten fields, nested",
    nested,
    {
      id: "p-1",
      name: "Ada Lovelace",
      count: 3,
      ratio: 0.5,
      active: true,
      kind: "b",
      note: "first",
      tags: ["math", "engine"],
      place: { x: 1.5, y: 2.5, label: "desk" },
      owner: { id: "o-1", level: 4 },
    },
  ],
  ["tagged union", event, { type: "said", text: "hello" }],
  ["intersection", both, { name: "Ada", count: 1 }],
];

/** Keeps results alive, so that the engine cannot leave the copy out. */
export const kept: { result: unknown } = { result: undefined };

/** Million calls per second: the median of the rounds. */
function measure(run: () => unknown): number {
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const start = performance.now();
    let calls = 0;
    let elapsed = 0;
    while (elapsed < ROUND_MS) {
      for (let index = 0; index < 1000; index++)
        if (run() === undefined) throw new Error("invalid");
      calls += 1000;
      elapsed = performance.now() - start;
    }
    rates.push(calls / elapsed / 1000);
  }
  return rates.toSorted((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0;
}

const rows: Record<string, Record<string, string>> = {};
for (const [name, schema, value] of cases) {
  const compiled = compileSchema(schema, { engine: "generate" });
  const interpreted = compileSchema(schema, { engine: "interpret" });
  const validate = new Ajv2020().compile(compiled.jsonSchema);
  const issues: Issue[] = [];
  const rates = {
    strict: measure(() => compiled.parse(value, "strict", issues)),
    tolerant: measure(() => compiled.parse(value, "tolerant", issues)),
    copy: measure(() => compiled.copy(value)),
    interpreted: measure(() => interpreted.parse(value, "strict", issues)),
    "ajv (no copy)": measure(() => validate(value)),
    "JSON copy": measure(() => JSON.parse(JSON.stringify(value)) as unknown),
  };
  rows[name] = Object.fromEntries(
    Object.entries(rates).map(([column, rate]) => [column, `${rate.toFixed(2)} M/s`]),
  );
}
console.table(rows);
