import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { layers } from "../contract/layers.ts";
import { claimProblems, envName, envSegment, isPassedOver } from "./env-names.ts";
import {
  layerVariables,
  serviceEnabledVariable,
  serviceEnvPrefix,
  switchClaims,
} from "./env-names.ts";

describe("names of variables", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["port", "PORT"],
    ["salutationText", "SALUTATION_TEXT"],
    ["httpURLPath", "HTTP_URL_PATH"],
    ["sha256Sum", "SHA256_SUM"],
    ["game-session", "GAME_SESSION"],
    ["already_snake", "ALREADY_SNAKE"],
    ["a.b c", "A_B_C"],
  ];
  for (const [key, segment] of cases) {
    test(`the key ${key} becomes ${segment}`, () => {
      assert.equal(envSegment(key), segment);
    });
  }

  test("a variable is its prefix and its key path", () => {
    assert.equal(envName("BANYAN_HTTP", ["tls", "certFile"]), "BANYAN_HTTP_TLS_CERT_FILE");
    assert.equal(envName("BANYAN_ENGINES", []), "BANYAN_ENGINES");
  });

  test("a service has a prefix and a switch of its own", () => {
    assert.equal(serviceEnvPrefix("game-session"), "BANYAN_GAME_SESSION");
    assert.equal(serviceEnabledVariable("game-session"), "BANYAN_GAME_SESSION_ENABLED");
  });
});

test("every layer but infrastructure has a switch named after it", () => {
  const named = Object.entries(layers).map(([layer, { name }]) => [
    layer,
    `BANYAN_ENABLE_${envSegment(name)}`,
  ]);
  assert.deepEqual(layerVariables, Object.fromEntries(named.slice(1)));
});

describe("claims on variables", () => {
  test("two services with the same variables are both named", () => {
    const problems = claimProblems(switchClaims(["game-session", "gameSession"]));
    assert.deepEqual(
      problems.map((problem) => problem.message),
      [
        "BANYAN_GAME_SESSION_ENABLED is claimed by both services.game-session.enabled " +
          "and services.gameSession.enabled.",
      ],
    );
  });

  test("a service called services would take the master switch and is refused", () => {
    const [problem] = claimProblems(switchClaims(["services"]));
    assert.match(problem?.message ?? "", /the master switch and services\.services\.enabled/);
  });

  test("the longest prefix decides whether an unknown variable is passed over", () => {
    const loaded = ["BANYAN_HELLO_WORLD_"];
    const passed = ["BANYAN_HELLO_"];
    assert.equal(isPassedOver("BANYAN_HELLO_TEXT", loaded, passed), true);
    assert.equal(isPassedOver("BANYAN_HELLO_WORLD_TXET", loaded, passed), false);
    assert.equal(isPassedOver("BANYAN_OTHER", loaded, passed), false);
  });
});
