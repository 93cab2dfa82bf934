import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { defineContract, defineService, isBanyanError, systemClock, t } from "@banyan/kernel";
import type { Call } from "@banyan/kernel";
import { createRecordingLog, temporaryDirectory } from "@banyan/testbed";
import { adminTokenFile } from "./authority.ts";
import { openNode } from "./node.ts";
import { nodeContract } from "./node-contract.ts";
import { borrowed, defineSample, eventually, flagsOf, post } from "./sample-node.test.ts";
import { request, sample, sampleProbe } from "./sample-node.test.ts";
import { openBed, secret, untilSo, urlOf } from "./sample-fleet.test.ts";

const till = defineContract("till", {
  summary: "Uses what another node runs.",
  version: "1.0.0",

  uses: { sample },
  operations: {
    greet: {
      summary: "Greet by the sample.",
      access: "anonymous",
      request: t.Object({ name: t.String() }),
      response: t.Object({ text: t.String(), count: t.Integer() }),
    },
    count: {
      summary: "Count by the sample.",
      access: "anonymous",
      request: t.Object({ to: t.Integer() }),
      response: t.Object({ seen: t.Array(t.Integer()) }),
    },
  },
});

const calls: Call[] = [];

const tillService = defineService(till, ({ clients }) => ({
  operations: {
    greet: ({ name }, call) => {
      calls.push(call);
      return clients.sample.greet({ name });
    },
    async count({ to }) {
      const seen: number[] = [];
      for await (const { n } of clients.sample.count({ to })) seen.push(n);
      return { seen };
    },
  },
}));

describe("Nodes of a fleet", () => {
  test("a service starts when the one that it uses is there, in whichever node", async () => {
    await using bed = openBed();
    const waiting = bed.open("a", [tillService]);
    await using _sample = await bed.open("b", [defineSample()]);
    const node = await waiting;
    const client = node.client(till);
    assert.deepEqual(await client.greet({ name: "Ada" }), { text: "Hello, Ada!", count: 1 });
    assert.deepEqual(await client.count({ to: 4 }), { seen: [1, 2, 3, 4] });
    const ready = await request(urlOf(node), "/readyz");
    assert.deepEqual(Reflect.get(Object(ready.body["engines"]), "mesh"), { state: "running" });
  });

  test("services that use each other across nodes do not wait for each other's nodes", async () => {
    await using bed = openBed();
    const make = (name: string, uses: Record<string, ReturnType<typeof contractOf>>) => {
      const contract = contractOf(name, uses);
      return { contract, service: defineService(contract, () => ({})) };
    };
    const d = make("d", {});
    const b = make("b", { d: d.contract });
    const a = make("a", { b: b.contract });
    const nodes = await Promise.all([
      bed.open("one", [a.service, d.service]),
      bed.open("two", [b.service]),
    ]);
    assert.deepEqual(
      nodes.map(({ phase }) => phase),
      ["ready", "ready"],
    );
  });

  test("a registry that is silent fails the start when its time is over", async () => {
    await using bed = openBed({ isSilent: true });
    for (const more of [{}, { "/mesh/mappings": { sample: "green" } }]) {
      const settings = { "/node/startTimeoutMs": 400, "/mesh/heartbeatMs": 5000, ...more };
      await assert.rejects(bed.open("a", [], settings), {
        code: "NODE_START_FAILED",
        message: /The registry of the mesh, shared, had not answered when 400 ms/,
      });
    }
  });

  test("a start that waits in vain says for what, or which version runs", async () => {
    await using bed = openBed();
    const settings = { "/node/startTimeoutMs": 300 };
    await assert.rejects(
      bed.open("a", [tillService], settings),
      /"sample", which till uses, is run by no node\. Start a node of the same fleet/,
    );
    const spec = { summary: "Another.", version: "2.0.0", layer: "L2" } as const;
    const other = defineContract("sample", spec);
    await bed.open("b", [defineService(other, () => ({}))]);
    await assert.rejects(
      bed.open("a", [tillService], settings),
      /"sample" 1\.2\.3, which till uses, is run by no node; 2\.0\.0 is/,
    );
  });

  test("what a node lacks later makes it degraded, and its calls say so", async () => {
    await using bed = openBed();
    const provider = await bed.open("b", [defineSample()]);
    const node = await bed.open("a", [tillService]);
    const door = await bed.open("c", []);
    assert.equal((await post([urlOf(door), "/sample/ping"])).status, 204);
    await provider.close();
    await untilSo(async () => {
      const failed = await node.client(till).greet({ name: "Ada" }).catch(codeOf);
      // Until it has read that nobody is there, it may try the address once more.
      assert(failed === "SERVICE_UNAVAILABLE" || failed === "MESH_PEER_UNREACHABLE");
      return failed === "SERVICE_UNAVAILABLE";
    });
    await untilSo(async () => {
      const { body } = await post([urlOf(door), "/sample/ping"]);
      return body["code"] === "SERVICE_UNAVAILABLE"; // it may come back
    });
    const ready = await request(urlOf(node), "/readyz");
    assert.equal(ready.body["status"], "degraded");
    assert.match(ready.text, /no node runs sample, which services here use/);
  });

  test("nodes are restarted in turn under load, and no call fails", async () => {
    await using bed = openBed();
    const first = await bed.open("b1", [defineSample()]);
    const second = await bed.open("b2", [defineSample()]);
    const node = await bed.open("a", [tillService]);
    const client = node.client(till);
    let isOver = false;
    let done = 0;
    const failures: unknown[] = [];
    const load = Array.from({ length: 8 }, async (_, index) => {
      while (!isOver) {
        await client.greet({ name: `n${index}` }).catch((error: unknown) => failures.push(error));
        done += 1;
      }
    });
    await eventually(() => done > 200);
    await first.close();
    await bed.open("b1", [defineSample()]);
    await second.close();
    await bed.open("b2", [defineSample()]);
    const before = done;
    await eventually(() => done > before + 200);
    isOver = true;
    await Promise.all(load);
    assert.deepEqual(failures, []);
  });

  test("the trace and the principal of a call go with it", async () => {
    await using bed = openBed();
    const probe = sampleProbe();
    await bed.open("b", [defineSample(probe)]);
    const node = await bed.open("a", [tillService]);
    const traceId = "4bf92f3577b34da6a3ce929d0e0e4736";
    const answer = await post([urlOf(node), "/till/greet"], `{"name":"Ada"}`, {
      traceparent: `00-${traceId}-00f067aa0ba902b7-01`,
    });
    assert.equal(answer.status, 200);
    const [served] = probe.calls;
    assert.equal(served?.trace.traceId, traceId);
    assert.deepEqual(served.principal, { kind: "anonymous" });
    assert.equal(served.caller, "till");
  });
});

test("what a node of a fleet keeps or tells alone is said at its start", async () => {
  await using bed = openBed();
  const log = createRecordingLog();
  await bed.open("b", [defineSample()], { log });
  const warned = log.lines.filter(({ message }) => message.includes("keeps or tells alone"));
  assert.deepEqual(
    warned.map(({ fields }) => [fields["stores"], fields["events"]]),
    [[["sample.visits on memory", "node.idempotency on memory"], ["sample.greeted on memory"]]],
  );
  const other = createRecordingLog();
  await bed.open("c", [defineSample()], { log: other, "/mesh/app": "back" });
  const unplaced = other.lines.find(({ message }) => message.includes("not placed there"));
  assert.deepEqual(unplaced?.fields["services"], ["sample"]);
});

describe("Strangers, over HTTP at a node that does not run the service", () => {
  test("are answered as if they had come to the one that does", async () => {
    await using bed = openBed();
    const probe = sampleProbe();
    await bed.open("b", [defineSample(probe)]);
    const url = urlOf(await bed.open("a", []));
    const greeted = await post([url, "/sample/greet"], `{"name":"Ada"}`);
    assert.deepEqual([greeted.status, greeted.body], [200, { text: "Hello, Ada!", count: 1 }]);
    assert.equal((await post([url, "/sample/ping"])).status, 204);
    assert.equal((await post([url, "/sample/admin/reset"], "{}")).status, 204);
    const counted = await post([url, "/sample/count"], `{"to":3}`);
    assert.equal(counted.text.match(/data: \{"n"/g)?.length, 3);
    assert.match(counted.text, /event: end/);
    const shy = await post([url, "/sample/greet"], `{"name":"shy"}`);
    assert.deepEqual([shy.status, shy.body["code"]], [412, "SAMPLE_SHY"]);
    const [served] = probe.calls;
    assert.deepEqual(served?.principal, { kind: "anonymous" });
    assert.equal(served.caller, undefined, "an outer call stays one");
  });

  test("are held to the contract: what it does not know is refused, not ignored", async () => {
    await using bed = openBed();
    await bed.open("b", [defineSample()]);
    const url = urlOf(await bed.open("a", []));
    const extra = await post([url, "/sample/greet"], `{"name":"Ada","more":1}`);
    assert.deepEqual([extra.status, extra.body["code"]], [400, "REQUEST_INVALID"]);
    const unknown = await post([url, "/sample/gret"], "{}");
    assert.deepEqual([unknown.status, unknown.body["code"]], [404, "OPERATION_UNKNOWN"]);
    assert.match(unknown.text, /The nearest one is POST \/sample\/greet/);
    for (const path of ["/sample/admin.reset", "/sample/admin%2Freset", "/%73ample/ping"]) {
      assert.equal((await post([url, path], "{}")).status, 404, path);
    }
    const nobody = await post([url, "/nobody/greet"], "{}");
    assert.deepEqual([nobody.status, nobody.body["code"]], [404, "SERVICE_UNKNOWN"]);
  });

  test("may do what they may, whatever the other node lets its own strangers do", async () => {
    await using directory = await temporaryDirectory("token");
    await using bed = openBed();
    await bed.open("b", [defineSample()], { "/http/authentication": "off" });
    const own = { directory: borrowed(directory.path) };
    const url = urlOf(await bed.open("a", [], own));
    const refused = await post([url, "/sample/secret"], "{}");
    assert.deepEqual([refused.status, refused.body["code"]], [401, "CALL_UNAUTHENTICATED"]);
    const wrong = await post([url, "/sample/greet"], `{"name":"Ada"}`, {
      authorization: "Bearer wrong",
    });
    assert.deepEqual([wrong.status, wrong.body["code"]], [401, "CALL_UNAUTHENTICATED"]);
    assert.equal((await request(url, "/healthz")).status, 200, "the door stands");
    const token = (await readFile(directory.join(adminTokenFile), "utf8")).trim();
    const allowed = await post([url, "/sample/secret"], "{}", { authorization: `Bearer ${token}` });
    assert.deepEqual(allowed.body, { by: "operator" });
  });

  test("who hang up end their call in the other node", async () => {
    await using bed = openBed();
    const probe = sampleProbe();
    await bed.open("b", [defineSample(probe)]);
    const url = urlOf(await bed.open("a", []));
    const leaving = new AbortController();
    const path = "/sample/hang";
    const asked = request(url, path, { method: "POST", signal: leaving.signal }).catch(
      () => "gone",
    );
    await eventually(() => probe.calls.length === 1);
    leaving.abort();
    assert.equal(await asked, "gone");
    await eventually(() => probe.aborted.length === 1);
    probe.release();
  });
});

describe("The operator of a fleet", () => {
  test("sees all nodes at any of them, and describes what others run", async () => {
    await using bed = openBed();
    await bed.open("b", [defineSample()], { "/mesh/app": "back" });
    const client = (await bed.open("a", [])).client(nodeContract);
    const { endpoints, fleet } = await client.mesh.endpoints({});
    assert.equal(fleet, true);
    assert.deepEqual(
      endpoints.map(({ node, app, status, isSelf }) => [node, app, status, isSelf]),
      [
        ["b", "back", "up", false],
        ["a", "banyan", "up", true],
      ],
    );
    assert.deepEqual(endpoints[0]?.services, [
      { name: "node", version: "1.0.0" },
      { name: "sample", version: "1.2.3" },
    ]);
    const only = await client.mesh.endpoints({ service: "sample" });
    assert.deepEqual(
      only.endpoints.map(({ node }) => node),
      ["b"],
    );
  });

  test("places services, and an older placement changes nothing", async () => {
    await using bed = openBed();
    const mappings = { "/mesh/mappings": { sample: "back" } };
    await bed.open("b", [defineSample()], { "/mesh/app": "back", ...mappings });
    const node = await bed.open("a", [tillService]);
    const client = node.client(nodeContract);
    assert.deepEqual(await client.mesh.mappings({}), {
      epoch: "",
      version: 1,
      apps: { sample: "back" },
    });
    assert.equal((await node.client(till).greet({ name: "Ada" })).count, 1);
    const placed = await client.mesh.place({ apps: { sample: "elsewhere" } });
    assert.equal(placed.version, 2);
    const isGone = async () => {
      const code = await node.client(till).greet({ name: "Ada" }).catch(codeOf);
      return code === "SERVICE_UNAVAILABLE";
    };
    await untilSo(isGone);
    const outdated = client.mesh.place({ apps: {}, version: 1 });
    await assert.rejects(outdated, (error) => isBanyanError(error, "MAPPING_OUTDATED"));
    await client.mesh.place({ apps: { sample: "back" }, epoch: "1" });
    await untilSo(async () => !(await isGone()));
  });

  test("drains a node from another: it finishes, is called no more, and leaves", async () => {
    await using bed = openBed();
    const probe = sampleProbe();
    const drained = await bed.open("b", [defineSample(probe)]);
    const node = await bed.open("a", []);
    const running = post([urlOf(node), "/sample/hang"]);
    await eventually(() => probe.calls.length === 1);
    const client = node.client(nodeContract);
    const answer = await client.mesh.drain({ node: "b" });
    assert.deepEqual([answer.node, answer.running], ["b", 1]);
    await untilSo(async () => (await post([urlOf(node), "/sample/ping"])).status !== 204);
    assert.equal((await request(urlOf(drained), "/readyz")).status, 503);
    const refused = await post([urlOf(drained), "/sample/ping"]);
    assert.deepEqual([refused.status, refused.body["code"]], [503, "NODE_DRAINING"]);
    const statusOf = async (): Promise<string | undefined> =>
      (await client.mesh.endpoints({})).endpoints.find((each) => each.node === "b")?.status;
    await systemClock.sleep(500);
    assert.equal(await statusOf(), "draining", "it is there as long as it finishes");
    assert.equal((await client.mesh.drain({ node: "b" })).running, undefined, "it drains already");
    const listed = async (): Promise<string[]> =>
      (await client.mesh.endpoints({})).endpoints.map((each) => each.node);
    probe.release();
    assert.equal((await running).status, 204, "what ran is finished");
    await untilSo(async () => !(await listed()).includes("b"));
    await assert.rejects(client.mesh.drain({ node: "bb" }), /no node "bb"/);
  });

  test("reaches the nodes of another app, and places nobody's own service", async () => {
    await using bed = openBed();
    await bed.open("b", [defineSample()], { "/mesh/app": "back" });
    const node = await bed.open("a", []);
    const client = node.client(nodeContract);
    await client.mesh.place({ apps: { sample: "back" } });
    await untilSo(async () => (await post([urlOf(node), "/sample/ping"])).status === 204);
    assert.equal((await client.describe({ service: "sample" })).service.version, "1.2.3");
    assert.equal((await client.mesh.drain({ node: "b" })).node, "b");
    await assert.rejects(client.mesh.place({ apps: { node: "back" } }), /cannot be placed/);
    await assert.rejects(client.mesh.place({ apps: { sample: "my shop!" } }), (error) =>
      isBanyanError(error, "REQUEST_INVALID"),
    );
  });

  test("is told where there is no fleet", async () => {
    await using alone = await openNode({ services: [], inMemory: true });
    const client = alone.client(nodeContract);
    assert.equal((await client.mesh.endpoints({})).fleet, false);
    await assert.rejects(client.mesh.drain({}), (error) => isBanyanError(error, "NODE_ALONE"));
  });
});

test("another secret is told at the start, and another cluster sees nobody", async () => {
  await using bed = openBed();
  await bed.open("b", [defineSample()]);
  const other = { "/mesh/secret": secret.toUpperCase() };
  await assert.rejects(bed.open("a", [], other), (error) => {
    assert(isBanyanError(error, "MESH_PEER_REFUSED"));
    return /most likely their secrets differ \(mesh\.secret\)/.test(error.message);
  });
  const apart = await bed.open("c", [], { "/mesh/cluster": "other" });
  const { endpoints } = await apart.client(nodeContract).mesh.endpoints({});
  assert.deepEqual(
    endpoints.map(({ node }) => node),
    ["c"],
  );
});

test("a registry of its own, or nothing to prove oneself by, is refused", async () => {
  const start = (settings: Record<string, unknown>) =>
    openNode({ services: [], inMemory: true, config: { flags: flagsOf(settings) } });
  await assert.rejects(
    start({ "/mesh/registry": "memory", "/mesh/secret": secret }),
    /mesh\.registry: What the engine "memory" keeps is this node's alone/,
  );
  await assert.rejects(
    start({ "/mesh/registry": "memory" }),
    /nothing proves to the others that it belongs there[^]*BANYAN_MESH_SECRET/,
  );
});

type Uses = Record<string, ReturnType<typeof defineContract>>;

function contractOf(name: string, uses: Uses) {
  return defineContract(name, { summary: "One.", version: "1.0.0", layer: "L1", uses });
}

function codeOf(error: unknown): unknown {
  return isBanyanError(error) ? error.code : error;
}
