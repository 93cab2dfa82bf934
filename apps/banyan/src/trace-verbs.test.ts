/** The verbs about traces, as a user runs them: real processes, real calls. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import type { Child, TemporaryDirectory } from "@banyan/testbed";
import { ask, makeProject, post, run, traceparent, until, up } from "./sample-project.test.ts";
import type { Row } from "./sample-project.test.ts";

describe("traces of a running node", { concurrency: 2 }, () => {
  let project: TemporaryDirectory;
  let node: Child;
  before(async () => {
    project = await makeProject();
    node = await up(project);
  });
  after(async () => {
    await node[Symbol.asyncDispose]();
    await project[Symbol.asyncDispose]();
  });

  test("a slow call and one that fails are listed, found by what they were", async () => {
    await post(node, "/workshop/glue", { body: { dryMs: 300 } });
    await post(node, "/workshop/drop");
    const slow = await run(project, "trace", "list", "--service", "workshop", "--min", "300ms");
    assert.match(slow.stdout, /^ID +WHEN +TOOK +SPANS +WHAT +SERVICES +KEPT +ERROR$/m);
    const line =
      /^[0-9a-f]{8} {2}[\d:.]{12} {2}(?:just now|\d+ s ago) +\d+ ms +3 {2}workshop\.glue /m;
    assert.match(slow.stdout, line);
    const failed = await run(project, "trace", "list", "--failed", "--name", "workshop.drop");
    assert.match(failed.stdout, /workshop\.drop +sampled +INTERNAL$/m);
    assert.ok(!failed.stdout.includes("workshop.glue"));
    const { traces } = await ask(project, "trace", "list", "--slowest", "--limit", "1");
    assert.deepEqual(
      (traces as Row[]).map(({ name }) => name),
      ["workshop.glue"],
    );
    assert.ok(!slow.stdout.includes("\u001B"), "a pipe gets no colours");
  });

  test("a slow line of code is found between the two lines around it", async () => {
    await post(node, "/workshop/glue", { body: { dryMs: 200 }, headers: traceparent("1") });
    const { stdout } = await run(project, "trace", "show", "11111111");
    const file = "services/workshop/src/workshop.service.ts";
    const lines = readFileSync(project.join(file), "utf8").split("\n");
    const [from, to] = ['parts.get("a")', 'parts.set("a"'].map(
      (code) => 1 + lines.findIndex((line) => line.includes(code)),
    );
    const gap = new RegExp(
      `^2\\d\\d ms without any span, between ${file}:${from} and ${file}:${to}$`,
      "m",
    );
    assert.match(stdout, gap);
    assert.match(stdout, /^1{32} {2}workshop\.glue {2}POST \/workshop\/glue 20[04]$/m);
    assert.match(stdout, / · 3 spans · sampled · called from elsewhere$/m);
  });

  test("an order is one tree across services, with the handlers of its events", async () => {
    const desk = (...words: string[]): Promise<Row> => ask(project, "call", ...words);
    await desk("catalogue", "put", "id=tea", "name=Tea", "priceCents=1250");
    await desk("stock", "receive", "item=tea", "count=10");
    const order = { body: { item: "tea", count: 2 }, headers: traceparent("2") };
    assert.equal((await post(node, "/orders/place", order)).status, 200);
    const { stdout } = await until(
      () => run(project, "trace", "show", "2222"),
      (shown) => /transaction orders[^]*transaction orders/.test(shown.stdout),
    );
    const lines = [
      ...stdout.matchAll(/^[ ▌▐█]{25} +[\d.]+ [mµ]s {2}((?:[│├└ ] )*)(\S+(?: \S+)*)/gm),
    ];
    const tree = lines.map(([, branch = "", name = ""]) => branch.replace("├", "└") + name);
    const own = tree.filter((line) => !line.includes("node."));
    assert.deepEqual(own, [
      "orders.place",
      "└ catalogue.get",
      "│ └ get catalogue.items",
      "└ transaction orders",
      "└ orders.placed",
      "  └ stock.reserve",
      "    └ transaction stock",
      "    └ orders.reserved",
      "      └ transaction orders",
    ]);
    assert.match(stdout, /catalogue\.get +\S*orders\.service\.ts:\d+$/m);
    assert.match(stdout, /3 services/);
    const whole = await ask(project, "trace", "show", "2222");
    assert.equal((whole["spans"] as Row[]).length, tree.length);
  });

  test("what was done over and over is one line, and each with --all", async () => {
    await post(node, "/workshop/sort", { body: { count: 40 }, headers: traceparent("3") });
    const folded = await run(project, "trace", "show", "3333");
    assert.match(
      folded.stdout,
      /└ get workshop\.parts {2}×40 {2}total [\d.]+ [mµ]s, max [\d.]+ [mµ]s/,
    );
    assert.match(folded.stdout, /└ look\\u001b\[2J closely/);
    const { stdout } = await run(project, "trace", "show", "3333", "--all");
    assert.equal(stdout.match(/ get workshop\.parts/g)?.length, 40);
  });

  test("--verbose tells messages and attributes, and no cause", async () => {
    await post(node, "/workshop/drop", { headers: traceparent("4") });
    const { stdout } = await run(
      project,
      "trace",
      "show",
      traceparent("4").traceparent,
      "--verbose",
    );
    assert.match(stdout, /INTERNAL \(internal\): /);
    assert.match(stdout, /http\.route=\/workshop\/drop/);
    assert.doesNotMatch(stdout, /in pieces/);
  });

  test("an id that is unknown, ambiguous or none at all is answered with what to do", async () => {
    const unknown = await run(project, "trace", "show", "fade0000");
    assert.deepEqual([unknown.code, /banyan trace list/.test(unknown.stderr)], [3, true]);
    for (const end of ["e1", "e2"])
      await post(node, "/workshop/drop", { headers: traceparent("5", end) });
    const both = await run(project, "trace", "show", "55555555");
    assert.deepEqual([both.code, /2 traces begin with 5{8}/.test(both.stderr)], [3, true]);
    assert.match(both.stderr, /fix: +Newest first: 5{30}e[12] \(workshop\.drop\), 5{30}e[12] /);
    assert.equal((await run(project, "trace", "show", `${"5".repeat(30)}e1`)).code, 0);
    const name = await run(project, "trace", "show", "orders.place");
    assert.deepEqual([name.code, /trace list --name orders\.place/.test(name.stderr)], [2, true]);
  });

  test("a list without anything says why, and names the nearest", async () => {
    const service = await run(project, "trace", "list", "--service", "workshp", "--min", "10h");
    assert.deepEqual([service.code, /"workshop"/.test(service.stderr)], [3, true]);
    await post(node, "/workshop/drop");
    const name = await run(project, "trace", "list", "--name", "workshop.dorp");
    assert.deepEqual([name.code, name.stdout], [0, ""]);
    assert.match(name.stderr, /Did you mean workshop\.drop\?/);
    const none = await run(project, "trace", "list", "--failed", "--min", "10h");
    assert.match(none.stderr, /^No trace in memory fits --min 10h --failed\. Leave something out/);
    const wrong = await run(project, "trace", "list", "--min", "soon");
    assert.deepEqual([wrong.code, /500ms, 5s/.test(wrong.stderr)], [2, true]);
  });

  test("a shell that completes gets ids, names, services and levels", async () => {
    await post(node, "/workshop/say", { body: { text: "x" }, headers: traceparent("6") });
    const values = (...words: string[]): Promise<string[]> =>
      until(
        async () => (await run(project, "complete-values", ...words)).stdout.trim().split("\n"),
        ([first]) => first !== "",
      );
    assert.ok((await values("trace")).includes("66666666"));
    assert.ok((await values("trace-name")).includes("workshop.say"));
    const words = await until(
      () => values("service-or-level"),
      (all) => all.length > 5,
    );
    assert.ok(["debug", "silent", "workshop", "stock"].every((word) => words.includes(word)));
    const alone = await run(project, "complete-values", "service-or-level", "--data-dir", "none");
    assert.equal(alone.stdout, "debug\ninfo\nwarn\nerror\nsilent\n");
  });
});
