import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { defineContract, defineService, isBanyanError, t } from "@banyan/kernel";
import type { AnyContract, ServiceDefinition } from "@banyan/kernel";
import { checkNode } from "./check-node.ts";
import { openNode } from "./node.ts";
import type { NodeOptions, ServiceSource } from "./options.ts";
import { flagsOf } from "./sample-node.test.ts";

const summary = "For a test.";
const version = "1.0.0";

const inMemoryEngines = { "/engines/durable": "memory", "/engines/bus": "memory" };

/** A service that does nothing, whatever its contract. */
function serviceOf(contract: AnyContract): ServiceDefinition {
  return { kind: "banyan.service", contract, build: () => ({}) };
}

function sourceOf(name: string, load: () => Promise<unknown>): ServiceSource {
  // A module may export anything; the setup has to cope with it.
  const erased = load as () => Promise<ServiceDefinition>;
  return { name, layer: "L4", from: `./services/${name}`, load: erased };
}

async function refusalOf(options: NodeOptions): Promise<string> {
  const error: unknown = await openNode(options).then(
    () => assert.fail("the node started"),
    (refusal: unknown) => refusal,
  );
  assert(isBanyanError(error, "NODE_START_REFUSED"), String(error));
  return error.message;
}

describe("A start that is refused", () => {
  test("names everything that is wrong in one report, each with its fix", async () => {
    const missing = defineContract("missing", { summary, version });
    const off = defineContract("off", { summary, version });
    const high = defineContract("high", { summary, version, layer: "L5" });
    const low = defineContract("low", { summary, version, layer: "L0", optional: { high } });
    const needy = defineContract("needy", {
      summary,
      version,
      uses: { missing, off },
      config: t.Object({ size: t.Integer({ minimum: 1 }) }),
      stores: { index: { durability: "ephemeral", value: t.Object({}), capabilities: ["search"] } },
    });
    const message = await refusalOf({
      services: [
        serviceOf(high),
        serviceOf(low),
        serviceOf(needy),
        sourceOf("off", () => assert.fail("a disabled service is not loaded")),
        sourceOf("broken", () => Promise.reject(new SyntaxError("Unexpected token"))),
        sourceOf("other", () => Promise.resolve({ hello: 1 })),
        sourceOf("misnamed", () => Promise.resolve(serviceOf(missing))),
      ],
      config: {
        flags: flagsOf({ "/http/port": 70_000, "/engines/durable": "memory" }),
        env: { BANYAN_OFF_ENABLED: "false", BANYAN_HTPP_PORT: "1", BANYAN_CONFIG: "x.yaml" },
        files: [
          { name: "banyan.yaml", tree: { http: { host: "0.0.0.0" }, engines: { bus: "nats" } } },
        ],
      },
    });
    assert.equal(message, golden);
  });

  test("does not stumble over sections of the wrong type", async () => {
    const files = [{ name: "banyan.yaml", tree: { http: 7, engines: [], limits: null, nod: {} } }];
    assert.match(
      await refusalOf({ services: [], config: { files } }),
      /http must be a set of keys/,
    );
  });

  test("says one thing in the singular", async () => {
    const message = await refusalOf({
      services: [],
      inMemory: true,
      config: { flags: flagsOf({ "/http/port": -1 }) },
    });
    assert.match(message, /^The node does not start; one thing is wrong:\n\n/);
  });

  const exposed: [title: string, settings: Record<string, unknown>, says: RegExp | undefined][] = [
    ["no list of hosts", { "/http/host": "0.0.0.0" }, /http\.allowedHosts names no host/],
    [
      "authentication off",
      { "/http/host": "192.0.2.1", "/http/authentication": "off", "/http/allowedHosts": ["a"] },
      /http\.authentication is off/,
    ],
    ["both", { "/http/host": "::", "/http/authentication": "off" }, /2 things are wrong/],
    ["authentication off on loopback", { "/http/authentication": "off" }, undefined],
    ["no HTTP at all", { "/http/host": "0.0.0.0", "/http/enabled": false }, undefined],
    [
      "a list of hosts",
      { "/http/host": "0.0.0.0", "/http/allowedHosts": ["a.example"] },
      undefined,
    ],
  ];
  for (const [title, settings, says] of exposed) {
    test(`exposure: ${title} is ${says === undefined ? "allowed" : "refused"}`, async () => {
      const check = await checkNode({
        services: [],
        inMemory: true,
        config: { flags: flagsOf(settings) },
      });
      if (says === undefined) check.assert();
      else assert.throws(() => check.assert(), { code: "NODE_START_REFUSED", message: says });
    });
  }

  test("names an engine that is not there once, with the place that names it", async () => {
    const kept = defineContract("kept", {
      summary,
      version,
      stores: { a: { durability: "durable", value: t.Object({}) } },
    });
    const options = {
      services: [serviceOf(kept)],
      config: { flags: flagsOf({ "/engines/durable": "sqlit", "/engines/bus": "memory" }) },
    };
    const { offences } = await checkNode(options);
    assert.deepEqual(
      offences.map(({ place }) => place),
      ["engines.durable"],
    );
  });

  test("names an engine that cannot be loaded with the reason", async () => {
    const findEngine = (): Promise<never> => Promise.reject(new SyntaxError("Unexpected token"));
    const flags = flagsOf({ "/engines/durable": "./mine.ts", "/engines/bus": "memory" });
    const { offences } = await checkNode({ services: [], config: { flags }, findEngine });
    assert.match(offences[0]?.message ?? "", /"\.\/mine\.ts".*Unexpected token/);
  });

  test("names a pin of a store that is not there, with the nearest one", async () => {
    const stores = { visits: { durability: "ephemeral", value: t.Object({}) } } as const;
    const kept = defineContract("kept", { summary, version, stores });
    const pins = {
      "kept.visits": "memory",
      "kept.vists": "memory",
      "kep.visits": "memory",
      "off.anything": "memory",
      "node.idempotency": "memory",
    };
    const { offences } = await checkNode({
      services: [serviceOf(kept), sourceOf("off", () => assert.fail("it is switched off"))],
      config: {
        env: { BANYAN_OFF_ENABLED: "false" },
        flags: flagsOf({ ...inMemoryEngines, "/engines/pins": pins }),
      },
    });
    assert.deepEqual(
      offences.map(({ place, fix }) => [place, fix]),
      [
        ['engines.pins["kept.vists"]', 'Did you mean "kept.visits"?'],
        ['engines.pins["kep.visits"]', 'Did you mean "kept.visits"?'],
      ],
    );
  });

  test("two services of one name are named", async () => {
    const twin = defineContract("twin", { summary, version });
    const { offences } = await checkNode({
      services: [serviceOf(twin), serviceOf(twin)],
      inMemory: true,
    });
    assert.match(JSON.stringify(offences), /2 services are named/);
  });

  test("a durable store on an engine that forgets is refused", async () => {
    const kept = defineContract("kept", {
      summary,
      version,
      stores: { a: { durability: "durable", value: t.Object({}) } },
    });
    const flags = flagsOf(inMemoryEngines);
    const { offences } = await checkNode({ services: [serviceOf(kept)], config: { flags } });
    assert.equal(offences[0]?.place, "kept.stores.a");
  });

  test("a plain answer is given for what was loaded and is no service", async () => {
    const { offences } = await checkNode({
      services: [sourceOf("other", () => Promise.resolve(undefined))],
      inMemory: true,
    });
    assert.match(offences[0]?.message ?? "", /does not export a service/);
  });

  test("opens nothing, not even the data directory", async () => {
    const directory = () => assert.fail("a refused start opens no directory");
    const flags = flagsOf({ "/http/port": 99_999 });
    assert.match(await refusalOf({ services: [], config: { flags }, directory }), /http\.port/);
  });
});

describe("A setup that fits", () => {
  test("a node that keeps nothing needs no durable engine and no durable bus", async () => {
    const flags = flagsOf({
      ...inMemoryEngines,
      "/http/enabled": false,
      "/log/level": "silent",
    });
    await using node = await openNode({ services: [], config: { flags } });
    assert.equal(node.url, undefined);
  });

  test("orders by layer, then by dependency, then by name", async () => {
    const a = defineContract("a", { summary, version, layer: "L1" });
    const b = defineContract("b", { summary, version, layer: "L1" });
    const early = defineContract("early", { summary, version, layer: "L1", uses: { b } });
    const last = defineContract("aa", { summary, version, layer: "L4", uses: { a } });
    const check = await checkNode({ services: [last, early, b, a].map(serviceOf), inMemory: true });
    const names = check.setup.order.map(({ name }) => name);
    assert.deepEqual(names, ["node", "a", "b", "early", "aa"]);
  });

  test("`--services` runs exactly those", async () => {
    const [one, two] = ["one", "two"].map((name) => defineContract(name, { summary, version }));
    assert(one !== undefined && two !== undefined);
    const check = await checkNode({
      services: [one, two].map(serviceOf),
      inMemory: true,
      config: { services: ["two"] },
    });
    check.assert();
    assert.deepEqual(
      check.setup.order.map(({ name }) => name),
      ["node", "two"],
    );
    assert.equal(check.decisions.find(({ name }) => name === "one")?.enabled, false);
  });

  test("a typed service is handed its own configuration", async () => {
    const contract = defineContract("greeter", {
      summary,
      version,
      config: t.Object({ word: t.String({ default: "Hello" }) }),
    });
    let word = "";
    const service = defineService(contract, ({ config }) => {
      word = config.word;
      return {};
    });
    await using _node = await openNode({
      services: [service],
      inMemory: true,
      config: { env: { BANYAN_GREETER_WORD: "Salve" } },
    });
    assert.equal(word, "Salve");
  });
});

const golden = [
  "The node does not start; 13 things are wrong:",
  "",
  "BANYAN_HTPP_PORT: no configuration reads this variable.",
  "  Fix: Did you mean BANYAN_HTTP_PORT? Rename it, or unset it.",
  "",
  "test: http.port must be an integer from 0 to 65535, not 70000.",
  "  Fix: Set test to: integer (0 to 65535); or leave it out for the default 7600.",
  "",
  "http.host is 0.0.0.0, which is reachable from other machines, but http.allowedHosts names no host.",
  "  Fix: List the names clients use in http.allowedHosts (BANYAN_HTTP_ALLOWED_HOSTS=api.example.org).",
  "",
  "services.needy.size is required and has no default.",
  "  Fix: Set it by the flag --set services.needy.size=…, the variable BANYAN_NEEDY_SIZE or services.needy.size in banyan.yaml.",
  "",
  "broken: ./services/broken could not be loaded: Unexpected token",
  "  Fix: Mend the module; run it with node to see the whole stack.",
  "",
  "other: ./services/other does not export a service.",
  "  Fix: Make the module's default export the result of defineService(…).",
  "",
  'misnamed: ./services/misnamed announces "misnamed" but its contract is named "missing".',
  '  Fix: Write "service": "missing" in its package.json.',
  "",
  'engines.bus: There is no bus engine "nats".',
  "  Fix: Use memory or sqlite, or install a package that offers one and name its module.",
  "",
  "low.optional.high: low (L0 infrastructure) optionally uses high (L5 extensions); L0 may only reach L0 so.",
  "  Fix: Turn it around: let high subscribe to an event of low, or implement an extension point of it.",
  "",
  "needy.uses.missing: needy (L4 game-features) uses missing (L4 game-features); L4 may only reach L0, L1, L2 so.",
  "  Fix: Move missing from uses to optional and do without it when it is not there.",
  "",
  "needy.uses.off: needy (L4 game-features) uses off (L4 game-features); L4 may only reach L0, L1, L2 so.",
  "  Fix: Move off from uses to optional and do without it when it is not there.",
  "",
  'needy.uses.off: "off", which needy cannot work without, is switched off (BANYAN_OFF_ENABLED=false).',
  '  Fix: Switch "off" on, or switch needy off as well.',
  "",
  'needy.stores.index: It asks for "search", which the engine "memory" does not have.',
  '  Fix: Pin the store to an engine that has it, or drop "search"; "memory" has: expires, outbox, relay, revisions, transaction.',
].join("\n");
