/**
 * The rules and the dashboards against the real thing: an order desk under load, started by the
 * command, and a Prometheus that scrapes it every second. Whatever is renamed, mistyped or gone is
 * found here.
 */

import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  bareEnvironment,
  checkMetrics,
  findReasonToSkip,
  freePort,
  openPostgres,
  openPrometheus,
  openRabbitmq,
  postgresPrograms,
  prometheusPrograms,
  rabbitmqPrograms,
  spawnNode,
  temporaryDirectory,
  until,
} from "@banyan/testbed";
import type { PrometheusServer } from "@banyan/testbed";
import { dashboardExpressions, ruleExpressions } from "./expressions.ts";
import { readMentions } from "./promql.ts";
import { loadDesk } from "./desk-load.ts";
import type { LoadCounts } from "./desk-load.ts";
import { LiveMetrics, readExemplars } from "./live-metrics.ts";
import { deadLetters, plausible } from "./plausible.ts";
import {
  createFailingMetrics,
  nodeConfig,
  prometheusFiles,
  repository,
  serve,
} from "./scene-files.ts";

const noPrometheus = await findReasonToSkip(prometheusPrograms);
const noServer =
  (await findReasonToSkip(postgresPrograms)) || (await findReasonToSkip(rabbitmqPrograms));
const prometheusTest = { skip: noPrometheus || noServer };
const loadMs = 7000;

/**
 * The panels that are empty while all is well. Everything else has been made to happen, and an
 * entry that has happened fails the test.
 */
const quiet = ["Banyan / Stores and SQLite: Errors"];

interface Scene extends AsyncDisposable {
  readonly prometheus: PrometheusServer;
  readonly live: LiveMetrics;
  readonly counts: LoadCounts;
  /** What the node serves, in the form that is asked for. */
  page(accept: string): Promise<string>;
}

void describe("against a Prometheus that watches an order desk under load", prometheusTest, () => {
  let scene: Scene;
  before(async () => {
    scene = await openScene();
  });
  after(() => scene[Symbol.asyncDispose]());

  test("it scrapes every target well, as OpenMetrics with exemplars", async () => {
    const { prometheus, page } = scene;
    // A machine that is busy with other tests may have missed a scrape: the next one counts.
    await until(async () => (await prometheus.targets()).every(({ health }) => health === "up"), {
      what: "A good scrape of both targets",
    });
    assert.equal((await prometheus.targets()).length, 2);
    assert.match(await page("application/openmetrics-text"), / # \{trace_id="[0-9a-f]{32}",/);
    for (const metric of ["rpc_server_duration", "messaging_process_duration"]) {
      const found = await readExemplars(prometheus.url, `${metric}_seconds_bucket`);
      assert.match(found, /"trace_id":"[0-9a-f]{32}"/, metric);
    }
  });

  test("every metric that a rule or a dashboard names is there", () => {
    const { live } = scene;
    const names = new Set(
      everything().flatMap(({ metrics }) => metrics.map((each) => each.metric)),
    );
    assert.deepEqual(
      [...names].filter((name) => !live.hasSeries(name)),
      [],
    );
  });

  test("every label that a rule or a dashboard asks for is one of its metric", () => {
    const { live } = scene;
    const wrong = everything().flatMap(({ where, metrics }) =>
      metrics.flatMap(({ metric, labels }) => {
        const known = live.labelsOf(metric);
        const strange = [...labels].filter((label) => !known.has(label));
        return strange.map((label) => `${where}: ${metric} has no ${label}`);
      }),
    );
    assert.deepEqual(wrong, []);
  });

  test("every metric of a node stands on a dashboard or in a rule", () => {
    const named = new Set(
      everything().flatMap(({ metrics }) => metrics.map((each) => each.metric)),
    );
    const shown = (metric: string): boolean =>
      ["", "_total", "_bucket", "_sum", "_count"].some((suffix) => named.has(metric + suffix));
    assert.deepEqual(
      scene.live.declared.filter((metric) => !shown(metric)),
      ["sample"], // of the page that is broken on purpose
    );
  });

  test("every selector of a rule finds series: none waits for what cannot be", async () => {
    const mentions = ruleExpressions().flatMap(({ expr }) => readMentions(expr));
    const empty: string[] = [];
    for (const selector of new Set(mentions.map((mention) => mention.selector))) {
      if ((await scene.prometheus.query(selector)).length === 0) empty.push(selector);
    }
    assert.deepEqual(empty, []);
  });

  test("every rule is evaluated without an error", async () => {
    const rules = await scene.prometheus.rules();
    assert.equal(rules.length, ruleExpressions().length);
    const ill = rules.filter(({ health, lastError }) => health !== "ok" || lastError !== "");
    assert.deepEqual(ill, []);
  });

  test("every panel has an answer, with the labels of its legend", async () => {
    const wrong: string[] = [];
    const empty: string[] = [];
    // One service has stores, the other publishes outside of transactions.
    const others = panelsOf("grumbler");
    for (const [index, { where, expr, legend }] of panelsOf("orders").entries()) {
      const exprs = [expr, others[index]?.expr ?? expr];
      const samples = await Promise.all(exprs.map((each) => scene.prometheus.query(each)));
      if (samples.flat().length === 0) empty.push(where);
      // Those it groups by are there even where they are empty.
      const labels = new Set(samples.flat().flatMap((sample) => Object.keys(sample.labels)));
      for (const mention of readMentions(expr)) for (const each of mention.labels) labels.add(each);
      for (const [, label = ""] of legend.matchAll(/\{\{(\w+)\}\}/g)) {
        if (!labels.has(label)) wrong.push(`${where}: no label ${label}`);
      }
    }
    assert.deepEqual(empty, quiet);
    assert.deepEqual(wrong, []);
  });

  test("what it tells is plausible", async () => {
    const { prometheus } = scene;
    for (const [expr, least, most] of plausible(scene.counts)) {
      const [sample, ...others] = await prometheus.query(expr);
      assert.ok(sample !== undefined && others.length === 0, `${expr} has no single answer`);
      const { value } = sample;
      assert.ok(value >= least && value <= most, `${expr} is ${value}, not ${least} … ${most}`);
    }
  });

  test("a dead letter fires its alert, and faults of one service touch no other", async () => {
    const rules = await scene.prometheus.rules();
    const firing = rules.filter(({ state }) => state === "firing").map(({ name }) => name);
    assert.deepEqual(firing, ["BanyanDeadLetters"]);
    const faulty = await scene.prometheus.query("job_service:rpc_server_faults:ratio_rate5m > 0");
    assert.deepEqual(
      faulty.map(({ labels }) => labels["rpc_service"]),
      ["grumbler"],
    );
  });

  test("promtool has nothing to say against what the node serves", async () => {
    assert.deepEqual(await checkMetrics(await scene.page("text/plain")), { code: 0, output: "" });
  });
});

/** What a reader of the dashboards has chosen. */
const values = {
  job: "banyan",
  instance: ".*",
  service: "orders",
  bus: ".*",
  __rate_interval: "1m",
};

function panelsOf(service: string): ReturnType<typeof dashboardExpressions> {
  return dashboardExpressions({ ...values, service });
}

function everything(): { where: string; metrics: ReturnType<typeof readMentions> }[] {
  return [...ruleExpressions(), ...panelsOf("orders")].map(({ where, expr }) => ({
    where,
    metrics: readMentions(expr),
  }));
}

async function openScene(): Promise<Scene> {
  await using stack = new AsyncDisposableStack();
  const project = stack.use(await temporaryDirectory("observability"));
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const page = async (accept: string): Promise<string> =>
    (await fetch(`${url}/metrics`, { headers: { accept } })).text();
  // Takes whatever it is sent: an empty answer is a whole one in protobuf.
  const collector = await serve(stack, (request, response) => {
    request.resume();
    response.writeHead(200, { "content-type": request.headers["content-type"] }).end();
  });
  const failing = createFailingMetrics();
  const failingPort = await serve(stack, (request, response) => {
    void failing.respond(request.headers.accept).then(({ contentType, body }) => {
      response.writeHead(200, { "content-type": contentType }).end(body);
    });
  });
  const { url: postgresUrl } = stack.use(await openPostgres());
  const { url: rabbitmqUrl } = stack.use(await openRabbitmq());
  const config = nodeConfig({ port, collector, postgresUrl, rabbitmqUrl });
  writeFileSync(project.join("banyan.yaml"), config);
  const command = resolve(repository, "apps/banyan/bin/banyan.js");
  const node = stack.use(spawnNode(command, ["up"], { cwd: project.path, env: bareEnvironment() }));
  const files = prometheusFiles([port, failingPort]);
  const flags = ["--enable-feature=exemplar-storage"];
  const prometheus = stack.use(await openPrometheus({ ...files, flags }));
  await node.waitForLine(/Ctrl-C stops it|"event":"ready"/, { timeoutMs: 30_000 });
  const seen = (expr: string, what: string): Promise<unknown> =>
    until(async () => (await prometheus.query(expr)).length > 0, { what, timeoutMs: 20_000 });
  // Before the load: what is counted from 0 on has an increase.
  await seen("banyan_subscription_dead_letters_total", "The first scrape of the node");
  const token = readFileSync(project.join(".banyan", "admin-token"), "utf8").trim();
  const counts = await loadDesk({ url, token, forMs: loadMs, clients: 4, deadLetters });
  // An order is published when it is placed, and again when the stock has answered; what the node
  // tells of itself goes over the other bus.
  const all = `sum(banyan_bus_published_messages_total{bus="sqlite"}) == ${2 * counts.orders + deadLetters}`;
  await seen(all, "A scrape of the whole load");
  await seen(`timestamp(${lastRecorded}) > ${Date.now() / 1000}`, "The rules over it");
  const live = await LiveMetrics.read(prometheus.url, [await page("text/plain")]);
  const owned = stack.move();
  return { prometheus, live, counts, page, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const lastRecorded = "job:http_server_faults:ratio_rate3d";
