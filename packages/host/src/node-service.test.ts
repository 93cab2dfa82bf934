import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { defineContract, defineService, on, t } from "@banyan/kernel";
import { temporaryDirectory } from "@banyan/testbed";
import { z } from "zod";
import { adminTokenFile } from "./authority.ts";
import { nodeContract } from "./node-contract.ts";
import { openNode } from "./node.ts";
import { borrowed, defineSample, flagsOf, openSample, post, sample } from "./sample-node.test.ts";

const off = {
  name: "off",
  layer: "L5",
  from: "./services/off",
  load: () => assert.fail(),
} as const;

describe("The node's own service", () => {
  test("lists what runs and what is switched off, with the reason", async () => {
    await using node = await openNode({
      services: [defineSample(), off],
      inMemory: true,
      version: "9.9.9",
      config: { env: { BANYAN_OFF_ENABLED: "false" } },
    });
    const { node: about, services } = await node.client(nodeContract).services({});
    assert.equal(about.id, node.id);
    assert.equal(about.version, "9.9.9");
    assert.equal(about.url, node.url);
    assert.deepEqual(
      services.map(({ name, state, operations }) => [name, state, operations]),
      [
        ["node", "running", 28],
        ["sample", "running", 14],
        ["off", "disabled", 0],
      ],
    );
    assert.match(services[2]?.because ?? "", /BANYAN_OFF_ENABLED/);
  });

  test("describes a service and each kind of operation", async () => {
    await using node = await openNode({ services: [defineSample()], inMemory: true });
    const client = node.client(nodeContract);
    const { service, operations } = await client.describe({ service: "sample" });
    assert.equal(service.layer, "L2 game-foundation");
    assert.deepEqual(
      service.errors.map(({ code }) => code),
      ["SAMPLE_SHY"],
    );
    const kinds = Object.fromEntries(
      operations.map(({ name, kind, path }) => [name, `${kind} ${path}`]),
    );
    assert.equal(kinds["greet"], "unary /sample/greet");
    assert.equal(kinds["admin.reset"], "unary /sample/admin/reset");
    assert.equal(kinds["count"], "stream /sample/count");
    assert.equal(kinds["file"], "raw /files/:name");
    assert.equal(operations.find(({ name }) => name === "quiet")?.streamAhead, 2);
    const one = await client.describe({ service: "sample", operation: "greet" });
    assert.deepEqual(
      one.operations.map(({ example }) => example),
      [{ name: "Ada" }],
    );
    for (const { service: name } of [{ service: "sample" }, { service: "node" }]) {
      assert.ok(await client.describe({ service: name }));
    }
  });

  test("describes a subscription with what it asks for", async () => {
    const asked = {
      concurrency: 2,
      retriesMax: 9,
      backoff: { initialMs: 1000, maxMs: 60_000 },
      deadlineMs: 90_000,
      retentionMs: 3_600_000,
      bufferMax: 50,
    };
    const listener = defineContract("listener", {
      summary: "Listens.",
      version: "1.0.0",
      subscriptions: { plain: on(sample, "greeted"), other: on(sample, "greeted", asked) },
    });
    const handlers = { plain: () => undefined, other: () => undefined };
    await using node = await openNode({
      services: [defineSample(), defineService(listener, () => ({ subscriptions: handlers }))],
      inMemory: true,
    });
    const { service } = await node.client(nodeContract).describe({ service: "listener" });
    const head = { topic: "sample.greeted", delivery: "group" };
    assert.deepEqual(service.subscriptions, [
      { name: "plain", ...head, concurrency: 16, retriesMax: 5 },
      { name: "other", ...head, ...asked },
    ]);
  });

  test("answers a name that is not there with the nearest one", async () => {
    await using node = await openNode({
      services: [defineSample(), off],
      inMemory: true,
      config: { env: { BANYAN_OFF_ENABLED: "false" } },
    });
    const { describe: ask } = node.client(nodeContract);
    await assert.rejects(ask({ service: "sampel" }), {
      code: "SERVICE_UNKNOWN",
      message: /"sample"/,
    });
    await assert.rejects(ask({ service: "off" }), {
      code: "SERVICE_UNAVAILABLE",
      message: /switched off/,
    });
    await assert.rejects(ask({ service: "sample", operation: "gret" }), {
      code: "OPERATION_UNKNOWN",
      message: /"greet"/,
    });
  });

  test("shows every setting with its origin, and no secret", async () => {
    const contract = defineContract("vault", {
      summary: "Keeps a secret.",
      version: "1.0.0",
      config: t.Object({ password: t.Secret({ description: "Opens it." }) }),
    });
    await using node = await openNode({
      services: [defineService(contract, () => ({}))],
      inMemory: true,
      config: {
        env: { BANYAN_VAULT_PASSWORD: "hunter2" },
        flags: flagsOf({ "/log/level": "warn" }),
      },
    });
    const answer = await node.client(nodeContract).config({});
    assert.doesNotMatch(JSON.stringify(answer), /hunter2/);
    const row = (name: string) => answer.rows.find((each) => each.name === name);
    assert.equal(row("log.level")?.value, "warn");
    assert.equal(row("services.vault.password")?.secret, true);
    assert.match(row("services.vault.password")?.origin ?? "", /BANYAN_VAULT_PASSWORD/);
  });

  test("takes the operator's token over HTTP", async () => {
    await using directory = await temporaryDirectory("node-service");
    await using world = await openSample({}, { directory: borrowed(directory.path) });
    assert.equal((await post([world.url, "/node/services"], "{}")).status, 401);
    const token = (await readFile(directory.join(adminTokenFile), "utf8")).trim();
    const headers = { authorization: `Bearer ${token}` };
    for (const operation of ["services", "config"]) {
      const answer = await post([world.url, `/node/${operation}`], "{}", headers);
      assert.equal(answer.status, 200, answer.text);
      assert.doesNotMatch(answer.text, new RegExp(token));
    }
    const described = await post([world.url, "/node/describe"], '{"service":"sample"}', headers);
    assert.equal(described.status, 200, described.text);
  });
});

test("what an operator publishes over HTTP is seen by who tails, with who it was", async () => {
  await using directory = await temporaryDirectory("node-service");
  await using world = await openSample({}, { directory: borrowed(directory.path) });
  const token = (await readFile(directory.join(adminTokenFile), "utf8")).trim();
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const { body } = await fetch(`${world.url}/node/events/tail`, {
    method: "POST",
    headers,
    body: '{"topic":"sample.#"}',
  });
  const reader = body?.pipeThrough(new TextDecoderStream()).getReader();
  const live = await reader?.read();
  assert.match(live?.value ?? "", /^data: ?\{"kind":"live","pattern":"sample\.#"\}/);
  const payload = { topic: "sample.greeted", payload: { name: "Ada" } };
  const sent = await post([world.url, "/node/events/publish"], JSON.stringify(payload), headers);
  assert.equal(sent.status, 200, sent.text);
  const frame = await reader?.read();
  assert.match(frame?.value ?? "", /"source":"sample"[^}]*"principal":"operator"/);
  assert.match(frame?.value ?? "", /"body":\{"name":"Ada"/);
  await reader?.cancel();
  const unknown = await post(
    [world.url, "/node/events/publish"],
    '{"topic":"a.b","payload":1}',
    headers,
  );
  assert.equal(unknown.status, 404, unknown.text);
});

test("an answer that is no JSON is 500, and the node goes on", async () => {
  const contract = defineContract("vague", {
    summary: "Answers what JSON cannot say.",
    version: "1.0.0",
    operations: {
      big: {
        summary: "A bigint, behind a schema that lets it through.",
        access: "anonymous",
        response: z
          .string()
          .transform((): unknown => 10n)
          .pipe(z.unknown()),
      },
    },
  });
  const service = defineService(contract, () => ({ operations: { big: () => "x" } }));
  await using node = await openNode({ services: [service], inMemory: true });
  const url = node.url ?? "";
  const answer = await post([url, "/vague/big"]);
  assert.equal(answer.status, 500);
  assert.equal(answer.body["code"], "INTERNAL");
});

test("a contract in zod works end to end", async () => {
  const contract = defineContract("zodiac", {
    summary: "Signs by month.",
    version: "1.0.0",
    operations: {
      sign: {
        summary: "The sign of a month.",
        access: "anonymous",
        request: z.object({
          month: z.number().int().min(1).max(12),
          short: z.boolean().default(false),
        }),
        response: z.object({ sign: z.string() }),
      },
    },
  });
  const service = defineService(contract, () => ({
    operations: { sign: ({ month, short }) => ({ sign: `${short ? "s" : "sign "}${month}` }) },
  }));
  await using node = await openNode({ services: [service], inMemory: true });
  const url = node.url ?? "";
  assert.deepEqual((await post([url, "/zodiac/sign"], '{"month":3}')).body, { sign: "sign 3" });
  const refused = await post([url, "/zodiac/sign"], '{"month":13}');
  assert.equal(refused.body["code"], "REQUEST_INVALID");
  assert.equal(refused.body["pointer"], "/month");
  const extra = await post([url, "/zodiac/sign"], '{"month":3,"extra":1}');
  assert.equal(extra.status, 400, extra.text);
  assert.deepEqual(await node.client(contract).sign({ month: 4, short: true }), { sign: "s4" });
  assert.equal(sample.name, "sample");
});
