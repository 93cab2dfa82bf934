import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { test } from "node:test";
import { openPrometheus } from "./prometheus-server.ts";
import { checkMetrics, checkRules, prometheusPrograms, testRules } from "./promtool.ts";
import { findReasonToSkip } from "./required-programs.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import { until } from "./until.ts";

const prometheusTest = { skip: await findReasonToSkip(prometheusPrograms) };

const rules = `
groups:
  - name: sample
    interval: 100ms
    rules:
      - record: answer:double
        expr: answer_total * 2
      - alert: AnswerTooLarge
        expr: answer_total > 40
`;

function scraping(port: number): string {
  return `
global: { scrape_interval: 100ms, scrape_timeout: 100ms }
rule_files: [rules.yml]
scrape_configs:
  - job_name: sample
    static_configs: [{ targets: ["127.0.0.1:${port}"] }]
`;
}

interface Exporter extends AsyncDisposable {
  readonly port: number;
}

async function openExporter(text: string): Promise<Exporter> {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/plain; version=0.0.4" }).end(text);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  assert.ok(address !== null && typeof address === "object");
  const dispose = async (): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { port: address.port, [Symbol.asyncDispose]: dispose };
}

test("it scrapes what it is told to, evaluates its rules and answers", prometheusTest, async () => {
  await using exporter = await openExporter("# TYPE answer_total counter\nanswer_total 42\n");
  await using prometheus = await openPrometheus({
    config: scraping(exporter.port),
    rules: { "rules.yml": rules },
  });
  const [sample] = await until(
    async () => {
      const samples = await prometheus.query("answer:double");
      return samples.length > 0 && samples;
    },
    { what: "The recorded series" },
  );
  assert.equal(sample?.value, 84);
  assert.equal(sample?.labels["job"], "sample");
  const [target] = await prometheus.targets();
  assert.equal(target?.health, "up");
  assert.match(target?.scrapeUrl ?? "", /:\d+\/metrics$/);
  const alert = await until(
    async () => (await prometheus.rules()).find(({ state }) => state === "firing"),
    { what: "The alert" },
  );
  assert.deepEqual(
    [alert.group, alert.name, alert.type, alert.health, alert.lastError],
    ["sample", "AnswerTooLarge", "alerting", "ok", ""],
  );
  assert.deepEqual(
    (await prometheus.query("vector(-1) / 0")).map(({ value }) => value),
    [-Infinity],
  );
  assert.deepEqual(
    (await prometheus.query("7")).map(({ value }) => value),
    [7],
  );
  await assert.rejects(prometheus.query("sum("), /Prometheus answered: .*parse error/);
  await assert.rejects(prometheus.query("answer_total[1m]"), /gave a matrix/);
});

test("a new configuration is read while it runs, a wrong one refused", prometheusTest, async () => {
  await using prometheus = await openPrometheus();
  assert.deepEqual(await prometheus.targets(), []);
  assert.deepEqual(await prometheus.rules(), []);
  await prometheus.reload({ config: scraping(1), rules: { "rules.yml": rules } });
  assert.equal((await prometheus.rules()).length, 2);
  await assert.rejects(prometheus.reload({ config: "nonsense: 1" }), /answered 500/);
  await assert.rejects(prometheus.reload({ rules: { "../up.yml": "" } }), /no plain name/);
  await assert.rejects(openPrometheus({ config: "nonsense: 1" }), /nonsense/);
});

test(
  "what it has recorded is there after a kill; paused, it is silent",
  prometheusTest,
  async () => {
    await using prometheus = await openPrometheus({
      config: "rule_files: [rules.yml]",
      rules: { "rules.yml": rules.replace("answer_total * 2", "vector(1)") },
    });
    const count = async (): Promise<number> => {
      const [sample] = await prometheus.query("count_over_time(answer:double[1h])");
      return sample?.value ?? 0;
    };
    const isSome = async (): Promise<number | false> => (await count()) > 2 && (await count());
    const before = await until(isSome, { what: "Three evaluations" });
    const { pid, url } = prometheus;
    assert.deepEqual(await prometheus.kill(), { code: null, signal: "SIGKILL" });
    await assert.rejects(prometheus.query("1"));
    await prometheus.start();
    assert.notEqual(prometheus.pid, pid);
    assert.equal(prometheus.url, url);
    assert.ok((await count()) >= before);
    prometheus.pause();
    let isAnswered = false;
    const answer = prometheus.query("1").finally(() => (isAnswered = true));
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(isAnswered, false);
    prometheus.resume();
    assert.equal((await answer).length, 1);
  },
);

test("the end of the scope leaves neither process nor folder", prometheusTest, async () => {
  let folder = "";
  let pid = 0;
  {
    await using prometheus = await openPrometheus();
    ({ directory: folder, pid } = prometheus);
    assert.ok(existsSync(folder));
  }
  assert.equal(existsSync(folder), false);
  assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
});

test(
  "promtool says what is wrong with metrics and rules, and runs tests",
  prometheusTest,
  async () => {
    await using folder = await temporaryDirectory("promtool");
    const page = "# HELP a_total All.\n# TYPE a_total counter\na_total 1\n";
    assert.deepEqual(await checkMetrics(page), { code: 0, output: "" });
    const linted = await checkMetrics("# TYPE a counter\na 1\n");
    assert.notEqual(linted.code, 0);
    assert.match(linted.output, /counter metrics should have "_total" suffix/);
    await writeFile(folder.join("rules.yml"), rules);
    assert.equal((await checkRules(folder.join("rules.yml"))).code, 0);
    await writeFile(folder.join("wrong.yml"), rules.replace("answer_total * 2", "answer_total *"));
    const wrong = await checkRules(folder.join("wrong.yml"));
    assert.notEqual(wrong.code, 0);
    assert.match(wrong.output, /could not parse expression/);
    const unit = (value: number): string => `
rule_files: [rules.yml]
tests:
  - interval: 1m
    input_series: [{ series: answer_total, values: "${value}" }]
    promql_expr_test:
      - { expr: answer:double, eval_time: 0m, exp_samples: [{ labels: answer:double, value: 84 }] }
`;
    await writeFile(folder.join("right.test.yml"), unit(42));
    await writeFile(folder.join("wrong.test.yml"), unit(41));
    const right = await testRules(folder.join("right.test.yml"));
    assert.equal(right.code, 0, right.output);
    const failed = await testRules(folder.join("wrong.test.yml"));
    assert.equal(failed.code, 1);
    assert.match(failed.output, /FAILED/);
  },
);
