import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { openSample, post, request } from "../sample-node.test.ts";

describe("The page at /docs", () => {
  test("runs its own script and style and nothing else", async () => {
    await using sample = await openSample();
    const { status, text, headers } = await request(sample.url, "/docs");
    assert.equal(status, 200);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /default-src 'none'/);
    for (const tag of ["script", "style"]) {
      const parts = [...text.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, "g"))];
      assert.equal(parts.length, 1);
      const hash = createHash("sha256")
        .update(parts[0]?.[1] ?? "")
        .digest("base64");
      assert.ok(policy.includes(`${tag}-src 'sha256-${hash}'`), policy);
    }
    assert.doesNotMatch(text, /https?:\/\//, "no other host is named");
    assert.doesNotMatch(text, / on[a-z]+=|javascript:/);
  });

  test("its script is JavaScript", async () => {
    await using sample = await openSample();
    const { text } = await request(sample.url, "/docs");
    const script = /<script>([\s\S]*?)<\/script>/.exec(text)?.[1] ?? "";
    const { Script } = await import("node:vm");
    assert.ok(new Script(script));
    assert.match(script, /section\.hidden/, "a filter hides services without a match");
  });

  test("is where the root leads, and HEAD sends no body", async () => {
    await using sample = await openSample();
    const root = await request(sample.url, "/");
    assert.equal(root.status, 302);
    assert.equal(root.headers.get("location"), "/docs");
    const head = await request(sample.url, "/docs", { method: "HEAD" });
    assert.equal(head.status, 200);
    assert.equal(head.text, "");
  });
});

describe("/metrics", () => {
  test("is well-formed Prometheus text and counts calls by outcome", async () => {
    await using sample = await openSample();
    await post([sample.url, "/sample/greet"], '{"name":"Ada"}');
    await post([sample.url, "/sample/greet"], '{"name":""}');
    const { status, text, headers } = await request(sample.url, "/metrics");
    assert.equal(status, 200);
    assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    const families = parseExposition(text);
    const all = [...families.values()].flat();
    assert.ok(
      all.some((line) => /greet/.test(line)),
      text.slice(0, 2000),
    );
    assert.ok(all.some((line) => /REQUEST_INVALID|invalid_argument/.test(line)));
  });
});

const metricName = "[a-zA-Z_:][a-zA-Z0-9_:]*";
const labelSet = String.raw`(?:\{(?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\[\\"n])*",?)*\})?`;

/** A strict reader: families apart, typed once, no sample twice, numbers only. */
function parseExposition(text: string): Map<string, string[]> {
  assert.ok(text.endsWith("\n"));
  const families = new Map<string, string[]>();
  const seen = new Set<string>();
  let family = "";
  for (const line of text.slice(0, -1).split("\n")) {
    const type =
      /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
    if (type !== null) {
      family = type[1] ?? "";
      assert.ok(!families.has(family), `${family} comes twice`);
      families.set(family, []);
      continue;
    }
    if (/^# HELP [a-zA-Z_:][a-zA-Z0-9_:]* .+$/.test(line)) continue;
    const sample = new RegExp(`^(${metricName})(${labelSet}) (\\S+)$`).exec(line);
    assert.ok(sample !== null, `not a sample: ${line}`);
    const [, name = "", labels = "", value = ""] = sample;
    assert.ok(name === family || name.replace(/_(?:bucket|sum|count|total)$/, "") === family, line);
    assert.ok(!seen.has(name + labels), `${name}${labels} comes twice`);
    seen.add(name + labels);
    assert.ok(/^(?:[+-]Inf|NaN)$/.test(value) || Number.isFinite(Number(value)), line);
    families.get(family)?.push(line);
  }
  return families;
}
