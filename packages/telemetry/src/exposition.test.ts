import assert from "node:assert/strict";
import { test } from "node:test";
import { seedOf } from "@banyan/testbed";
import fc from "fast-check";
import { chooseFormat } from "./exposition.ts";
import { createMetrics } from "./metrics.ts";

interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

interface Family {
  readonly type: string;
  readonly help: string;
  readonly samples: Sample[];
}

/** Reads text format 0.0.4 and accepts nothing that a careful scraper would not. */
function parseStrictly(text: string): Map<string, Family> {
  const families = new Map<string, Family>();
  let current: { name: string; family: Family } | undefined;
  let help: { name: string; text: string } | undefined;
  if (text !== "") assert.ok(text.endsWith("\n"), "the last line must end");
  for (const line of text.split("\n").slice(0, -1)) {
    const comment = /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) ([^\n]*)$/.exec(line);
    if (comment !== null) {
      const [, what, name = "", rest = ""] = comment;
      if (what === "HELP") help = { name, text: unescapeText(rest, /\\([\\n])/g) };
      else {
        assert.equal(help?.name, name, "HELP stands before its TYPE");
        assert.ok(!families.has(name), `${name} is declared twice`);
        assert.match(rest, /^(?:counter|gauge|histogram)$/);
        current = { name, family: { type: rest, help: help?.text ?? "", samples: [] } };
        families.set(name, current.family);
      }
      continue;
    }
    const sample = parseSample(line);
    assert.ok(current !== undefined, "a sample without a family");
    const suffix = sample.name.slice(current.name.length);
    const allowed = current.family.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    assert.ok(sample.name.startsWith(current.name) && allowed.includes(suffix), line);
    current.family.samples.push(sample);
  }
  for (const [name, family] of families) {
    const seen = family.samples.map((sample) => JSON.stringify([sample.name, sample.labels]));
    assert.equal(new Set(seen).size, seen.length, `${name} has a sample twice`);
  }
  return families;
}

function parseSample(line: string): Sample {
  const head = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{?)/.exec(line);
  assert.ok(head !== null, `no sample: ${line}`);
  const [start, name = "", brace] = head;
  let at = start.length;
  const labels: Record<string, string> = {};
  while (brace === "{" && line[at] !== "}") {
    const label = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)"(?:,|(?=\}))/.exec(
      line.slice(at),
    );
    assert.ok(label !== null, `no label at ${at}: ${line}`);
    const [whole, key = "", value = ""] = label;
    assert.ok(!(key in labels), `${key} twice: ${line}`);
    labels[key] = unescapeText(value, /\\(["\\n])/g);
    at += whole.length;
  }
  if (brace === "{") at += 1;
  const value = /^ ([+-]Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(line.slice(at));
  assert.ok(value !== null, `no value: ${line}`);
  return { name, labels, value: Number(value[1]?.replace("Inf", "Infinity")) };
}

function unescapeText(text: string, marks: RegExp): string {
  return text.replace(marks, (_whole, mark: string) => (mark === "n" ? "\n" : mark));
}

test("counters, gauges and histograms are written as a scraper reads them", () => {
  const metrics = createMetrics();
  metrics.counter("jobs_total", { help: "Jobs." }).with().add(3);
  metrics
    .gauge("depth", { help: "Depth.", labels: ["queue"] })
    .with({ queue: "mail" })
    .set(-2.5);
  const took = metrics.histogram("took_seconds", { help: "Time.", buckets: [0.1, 1, 2.5] }).with();
  for (const value of [0.1, 0.05, 0.7, 99]) took.record(value);
  assert.equal(
    metrics.render(),
    `# HELP jobs_total Jobs.
# TYPE jobs_total counter
jobs_total 3
# HELP depth Depth.
# TYPE depth gauge
depth{queue="mail"} -2.5
# HELP took_seconds Time.
# TYPE took_seconds histogram
took_seconds_bucket{le="0.1"} 2
took_seconds_bucket{le="1.0"} 3
took_seconds_bucket{le="2.5"} 3
took_seconds_bucket{le="+Inf"} 4
took_seconds_sum 99.85
took_seconds_count 4
`,
  );
  parseStrictly(metrics.render());
  assert.equal(createMetrics().render(), "");
});

test("any label value and help text is read back as it was given", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }),
    fc
      .array(fc.constantFrom("\\", '"', "\n", "n", "{", "}", ",", "=", " ", "#", "é"), {
        maxLength: 12,
      })
      .map((marks) => marks.join("")),
  );
  const values = fc.uniqueArray(fc.tuple(text, text), {
    maxLength: 8,
    selector: (pair) => JSON.stringify(pair),
  });
  const property = fc.property(values, text, (pairs, help) => {
    const metrics = createMetrics();
    const family = metrics.counter("x_total", { help, labels: ["a", "b"] });
    for (const [index, [a, b]] of pairs.entries()) family.with({ a, b }).add(index + 1);
    const read = parseStrictly(metrics.render()).get("x_total");
    assert.equal(read?.help, help);
    assert.deepEqual(
      read?.samples.map(({ labels, value }) => [labels["a"], labels["b"], value]),
      pairs.map(([a, b], index) => [a, b, index + 1]),
    );
  });
  fc.assert(property, { seed: seedOf(), numRuns: 100 });
});

test("any recorded values add up: buckets are cumulative, the last one is the count", () => {
  const bounds = fc.uniqueArray(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 12 });
  const values = fc.array(fc.integer({ min: -60, max: 60 }), { maxLength: 60 });
  const property = fc.property(bounds, values, (unordered, recorded) => {
    const buckets = unordered.sort((a, b) => a - b);
    const metrics = createMetrics();
    const histogram = metrics.histogram("h", { help: "H.", buckets }).with();
    for (const value of recorded) histogram.record(value);
    const samples = parseStrictly(metrics.render()).get("h")?.samples ?? [];
    for (const { name, labels, value } of samples) {
      const bound = Number(labels["le"]?.replace("Inf", "Infinity"));
      if (name === "h_bucket") assert.equal(value, recorded.filter((each) => each <= bound).length);
      if (name === "h_sum")
        assert.equal(
          value,
          recorded.reduce((sum, each) => sum + each, 0),
        );
      if (name === "h_count") assert.equal(value, recorded.length);
    }
    assert.equal(samples.length, buckets.length + 3);
    assert.equal(histogram.count, recorded.length);
  });
  fc.assert(property, { seed: seedOf() });
});

test("numbers that are not finite have their names", () => {
  const metrics = createMetrics();
  const gauge = metrics.gauge("g", { help: "G.", labels: ["l"] });
  for (const value of [Infinity, -Infinity, Number.NaN, 1e300, 5e-324]) {
    gauge.with({ l: value }).set(value);
  }
  const samples = parseStrictly(metrics.render()).get("g")?.samples ?? [];
  assert.deepEqual(
    samples.map(({ value }) => value),
    [Infinity, -Infinity, Number.NaN, 1e300, 5e-324],
  );
});

test("OpenMetrics names the family of a counter without its suffix and ends with EOF", async () => {
  const metrics = createMetrics();
  metrics.counter("jobs_total", { help: 'A "job".' }).with().add();
  const { contentType, body } = await metrics.respond("application/openmetrics-text;version=1.0.0");
  assert.equal(contentType, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  assert.equal(body, '# HELP jobs A \\"job\\".\n# TYPE jobs counter\njobs_total 1\n# EOF\n');
  assert.match((await metrics.respond("text/plain")).contentType, /version=0\.0\.4/);
});

test("only who asks for OpenMetrics gets it", () => {
  const prometheus =
    "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
  assert.equal(chooseFormat(prometheus), "openmetrics");
  for (const accept of [
    undefined,
    "",
    "*/*",
    "text/html, text/plain",
    "application/openmetrics-text;q=0",
    "application/openmetrics-text;q=0.2, text/plain",
  ]) {
    assert.equal(chooseFormat(accept), "prometheus", accept);
  }
});
