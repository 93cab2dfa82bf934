import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decideEnabled } from "./enable.ts";
import type { EnableDecision } from "./enable.ts";
import { enableSection } from "./layer-switches.ts";
import type { ConfigFile } from "./read-sources.ts";
import { resolveConfig } from "./resolve.ts";
import type { DecideEnabledInput, ServiceCandidate } from "./service-switches.ts";

const services: readonly ServiceCandidate[] = [
  { name: "state", layer: "L0", infrastructureAlwaysOn: true },
  { name: "account", layer: "L1" },
  { name: "realm", layer: "L2" },
  { name: "website", layer: "L3" },
  { name: "game-session", layer: "L4" },
  { name: "greeter", layer: "L4" },
];

function decide(input: Omit<DecideEnabledInput, "services">): EnableDecision {
  return decideEnabled({ services, ...input });
}

function running(decision: EnableDecision): string[] {
  return decision.services.filter((s) => s.enabled).map((s) => s.name);
}

function because(decision: EnableDecision, name: string): string | undefined {
  return decision.services.find((s) => s.name === name)?.because;
}

function yaml(tree: unknown, line = 7): ConfigFile {
  return { name: "banyan.yaml", tree, locate: () => ({ line, column: 3 }) };
}

function texts({ problems }: EnableDecision): string[] {
  return problems.map(({ message, fix }) => `${message} ${fix ?? ""}`);
}

describe("which services run", () => {
  test("all of them, when nothing is said", () => {
    const decision = decide({});
    assert.equal(running(decision).length, services.length);
    assert.equal(because(decision, "state"), "always on");
    assert.equal(because(decision, "greeter"), "default");
    assert.deepEqual(decision.problems, []);
  });

  test("the flag names exactly those that run besides what is always on", () => {
    const decision = decide({
      flags: { services: "greeter, account" },
      env: { BANYAN_GREETER_ENABLED: "false", BANYAN_WEBSITE_ENABLED: "true" },
    });
    assert.deepEqual(running(decision), ["state", "account", "greeter"]);
    assert.equal(because(decision, "website"), "--services greeter,account");
  });

  test("a service's own variable beats the file and all wider switches", () => {
    const decision = decide({
      env: { BANYAN_GAME_SESSION_ENABLED: "on", BANYAN_SERVICES_ENABLED: "false" },
      files: [yaml({ services: { "game-session": { enabled: false } } })],
    });
    assert.deepEqual(running(decision), ["state", "game-session"]);
    assert.equal(because(decision, "game-session"), "BANYAN_GAME_SESSION_ENABLED=true");
    assert.equal(because(decision, "greeter"), "BANYAN_SERVICES_ENABLED=false");
  });

  test("a flag for one place beats the variable of the same place", () => {
    const set = [
      { pointer: "/services/greeter/enabled", value: "no", flag: "--set services.greeter.enabled" },
      { pointer: "/enable/layers/L3", value: "false", flag: "--set enable.layers.L3" },
      { pointer: "/http/port", value: "1", flag: "--port" },
    ];
    const env = { BANYAN_GREETER_ENABLED: "true", BANYAN_ENABLE_APP_FEATURES: "true" };
    const decision = decide({ flags: { set }, env });
    assert.deepEqual(running(decision), ["state", "account", "realm", "game-session"]);
    assert.equal(because(decision, "greeter"), "--set services.greeter.enabled=false");
    assert.equal(because(decision, "website"), "--set enable.layers.L3=false");
    assert.deepEqual(decision.problems, []);
  });

  test("the file's word on a service beats the master switch and the layer", () => {
    const decision = decide({
      env: { BANYAN_SERVICES_ENABLED: "account", BANYAN_ENABLE_GAME_FEATURES: "false" },
      files: [yaml({ services: { greeter: { enabled: true }, account: { enabled: false } } })],
    });
    assert.deepEqual(running(decision), ["state", "greeter"]);
    assert.equal(because(decision, "greeter"), "banyan.yaml:7");
    assert.equal(because(decision, "website"), "BANYAN_SERVICES_ENABLED=account");
  });

  test("a list in the master switch beats the layer's switch", () => {
    const env = { BANYAN_SERVICES_ENABLED: "greeter", BANYAN_ENABLE_GAME_FEATURES: "false" };
    const decision = decide({ env });
    assert.deepEqual(running(decision), ["state", "greeter"]);
    assert.deepEqual(decision.problems, []);
  });

  test("a true master switch is the same as none", () => {
    const env = { BANYAN_SERVICES_ENABLED: "true", BANYAN_ENABLE_GAME_FEATURES: "0" };
    const decision = decide({ env });
    assert.deepEqual(running(decision), ["state", "account", "realm", "website"]);
    assert.equal(because(decision, "greeter"), "BANYAN_ENABLE_GAME_FEATURES=false");
  });

  test("a layer's variable beats the file's switch of the layer", () => {
    const files = [yaml({ enable: { layers: { L4: false, L3: false } } })];
    const decision = decide({ env: { BANYAN_ENABLE_GAME_FEATURES: "true" }, files });
    assert.deepEqual(running(decision), ["state", "account", "realm", "game-session", "greeter"]);
    assert.equal(because(decision, "greeter"), "BANYAN_ENABLE_GAME_FEATURES=true");
    assert.equal(because(decision, "website"), "banyan.yaml:7");
  });

  test("a foundation stays on, and a switch that says otherwise is a problem", () => {
    const decision = decide({ env: { BANYAN_STATE_ENABLED: "false" } });
    assert.equal(running(decision)[0], "state");
    assert.match(texts(decision)[0] ?? "", /^BANYAN_STATE_ENABLED: state is always on/);
    assert.deepEqual(decide({ env: { BANYAN_SERVICES_ENABLED: "false" } }).problems, []);
  });
});

describe("mistakes in the switches", () => {
  test("an unknown service in a list is named with the nearest", () => {
    const decision = decide({
      flags: { services: ["gretter"] },
      env: { BANYAN_SERVICES_ENABLED: "account,nothing-like-it" },
    });
    assert.deepEqual(texts(decision), [
      'BANYAN_SERVICES_ENABLED: there is no service "nothing-like-it". ' +
        "Known services: account, game-session, greeter, realm, state, website.",
      '--services: there is no service "gretter". Did you mean greeter?',
    ]);
  });

  test("a list that names nothing is a problem", () => {
    assert.match(texts(decide({ flags: { services: " , " } }))[0] ?? "", /names no service/);
  });

  test("a switch that is neither true nor false is a problem and decides nothing", () => {
    const decision = decide({
      env: { BANYAN_GREETER_ENABLED: "maybe", BANYAN_ENABLE_EXTENSIONS: "nope" },
      files: [yaml({ services: { website: { enabled: "no" } }, enable: { layers: { L9: true } } })],
    });
    assert.equal(because(decision, "greeter"), "default");
    assert.deepEqual(
      decision.problems.map((problem) => problem.origin?.name),
      ["banyan.yaml", "banyan.yaml", "BANYAN_ENABLE_EXTENSIONS", "BANYAN_GREETER_ENABLED"],
    );
  });

  test("an empty variable is not set", () => {
    const env = { BANYAN_GREETER_ENABLED: "", BANYAN_SERVICES_ENABLED: "" };
    assert.deepEqual(decide({ env }), decide({}));
  });
});

describe("layers stand on layers", () => {
  const off = (...layers: string[]): Record<string, string> =>
    Object.fromEntries(layers.map((layer) => [`BANYAN_ENABLE_${layer}`, "false"]));

  test("switching the app foundation off alone leaves three layers without ground", () => {
    const decision = decide({ env: off("APP_FOUNDATION") });
    const lead = "BANYAN_ENABLE_APP_FOUNDATION: layer L1 is switched off while ";
    assert.deepEqual(
      decision.problems.map((problem) => problem.message),
      ["L2", "L3", "L4"].map((upper) => `${lead}${upper}, which stands on it, runs.`),
    );
    assert.equal(
      decision.problems[2]?.fix,
      "Switch L1 on, or switch L4 off as well " +
        "(BANYAN_ENABLE_GAME_FEATURES=false, or enable.layers.L4: false in the file).",
    );
  });

  test("game features need the game foundation, app features do not", () => {
    const decision = decide({ env: off("GAME_FOUNDATION") });
    assert.deepEqual(
      decision.problems.map((problem) => problem.message),
      [
        "BANYAN_ENABLE_GAME_FOUNDATION: layer L2 is switched off while L4, " +
          "which stands on it, runs.",
      ],
    );
    assert.deepEqual(decide({ env: off("GAME_FOUNDATION", "GAME_FEATURES") }).problems, []);
  });

  test("a layer that merely has no services is no problem", () => {
    const alone = services.filter((service) => service.layer === "L4");
    assert.deepEqual(decideEnabled({ services: alone }).problems, []);
  });

  test("services chosen by name may run without the layers below: a fleet splits so", () => {
    const env = { ...off("APP_FOUNDATION"), BANYAN_SERVICES_ENABLED: "greeter" };
    assert.deepEqual(decide({ env }).problems, []);
  });
});

test("the section of the layers' switches shows them in the resolved configuration", () => {
  const resolution = resolveConfig({
    sections: [enableSection],
    sources: { env: { BANYAN_ENABLE_GAME_FEATURES: "false" } },
  });
  assert.deepEqual(resolution.values, {
    enable: { layers: { L1: true, L2: true, L3: true, L4: false, L5: true } },
  });
  assert.deepEqual(resolution.problems, []);
});
