/** The verbs about log and telemetry, as a user runs them: real processes, real calls. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, makeProject, post, readyTimeoutMs, run, until, up } from "./sample-project.test.ts";
import type { Row, Run } from "./sample-project.test.ts";

describe("the log of a running node", () => {
  test("a level is changed at once, for one service or all, and taken back", async () => {
    await using project = await makeProject();
    await using node = await up(project, "--services", "workshop");
    const say = (text: string): Promise<Response> =>
      post(node, "/workshop/say", { body: { text } });
    const heard = (text: string) =>
      node.waitForLine(new RegExp(`said.*"${text}"`), { timeoutMs: readyTimeoutMs });
    const level = (...words: string[]): Promise<Run> => run(project, "log", "level", ...words);
    await say("before");
    const one = await level("workshop", "debug");
    assert.equal(one.stdout, "LOG OF      LEVEL\nall others  error\nworkshop    debug\n");
    assert.match(one.stderr, /^Until the node stops; .* as log\.services\.workshop\.$/m);
    await say("with one");
    await heard("with one");
    const back = await level("workshop", "--reset");
    assert.equal(
      back.stdout,
      "LOG OF        LEVEL\nall services  error\nworkshop      error, as all\n",
    );
    await say("after");
    assert.deepEqual(await ask(project, "log", "level", "debug"), { level: "debug", services: [] });
    await say("with all");
    await heard("with all");
    assert.doesNotMatch(node.stderr, /"before"|"after"/);
    assert.equal((await level()).stdout, "LOG OF        LEVEL\nall services  debug\n");
    assert.match((await level("workshop")).stdout, /^workshop +debug, as all$/m);
    const wrong = await level("workshp", "debug");
    assert.deepEqual([wrong.code, /"workshop"/.test(wrong.stderr)], [3, true]);
    const near = await level("dbug");
    assert.deepEqual([near.code, /Did you mean debug\?/.test(near.stderr)], [2, true]);
  });
});

describe("what is switched off or sampled", { concurrency: 2 }, () => {
  test("without traces, the verbs say so and how to have them", async () => {
    await using project = await makeProject();
    const off = ["--set", "telemetry.traces.enabled=false", "--services", "workshop"];
    await using _node = await up(project, ...off);
    for (const words of [["list"], ["show", "abcd"]]) {
      const { code, stderr } = await run(project, "trace", ...words);
      assert.deepEqual([code, /TELEMETRY_OFF/.test(stderr)], [10, true]);
      assert.match(stderr, /fix: .*`banyan up --set telemetry\.traces\.enabled=true`/);
    }
    const { stdout } = await run(project, "telemetry");
    assert.match(stdout, /^metrics +on, at \/metrics$/m);
    assert.match(stdout, /^traces +off; telemetry\.traces\.enabled=true/m);
    assert.match(stdout, /^exporter +none; /m);
  });

  test("an exporter that reaches nobody says so, with the error and its age", async () => {
    await using project = await makeProject();
    const nowhere = ["--set", "telemetry.otlp.endpoint=http://127.0.0.1:1"];
    await using node = await up(project, "--services", "workshop", ...nowhere);
    await post(node, "/workshop/drop");
    const { stdout } = await until(
      () => run(project, "telemetry"),
      (status) => status.stdout.includes("failing"),
    );
    assert.match(stdout, /^exporter +failing: http:\/\/127\.0\.0\.1:1, http\/protobuf$/m);
    assert.match(stdout, /^last failed +(?:just now|\d+ s ago)$/m);
    assert.match(stdout, /^last error +\S/m);
  });

  test("what was kept for being slow or failing says so, and the rest is not there", async () => {
    await using project = await makeProject();
    const few = ["--set", "telemetry.traces.ratio=0", "--set", "telemetry.traces.slowMs=600"];
    await using node = await up(project, "--services", "workshop", ...few);
    const none = await run(project, "trace", "list");
    assert.match(none.stderr, /^No trace was kept: telemetry\.traces\.ratio is 0.* 600 ms yet\.$/m);
    await post(node, "/workshop/say", { body: { text: "x" } });
    await post(node, "/workshop/glue", { body: { dryMs: 700 } });
    await post(node, "/workshop/drop");
    const { stdout } = await run(project, "trace", "list");
    assert.match(stdout, /workshop\.glue +slow$/m);
    assert.match(stdout, /workshop\.drop +error +INTERNAL$/m);
    assert.ok(!stdout.includes("workshop.say"));
    const status = await run(project, "telemetry");
    assert.match(status.stdout, /^traces +on: 0 % of new ones, at most 100 a second$/m);
    // A busy machine may have made the node's own answers slow as well.
    assert.match(status.stdout, /^kept +0 sampled, 1 failed, [1-9]\d* slow; \d+ in memory$/m);
    const { kept } = (await ask(project, "telemetry"))["traces"] as Row;
    assert.partialDeepStrictEqual(kept, { sampled: 0, error: 1 });
  });
});
