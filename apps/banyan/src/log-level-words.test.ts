import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { readLevelWords } from "./log-level-words.ts";
import type { LevelWish } from "./log-level-words.ts";

const services = async (): Promise<string[]> => ["greeter", "debug", "stock"];
const never = (): never => assert.fail("the node is asked for nothing");

function read(words: string, ask: () => Promise<string[]> = services): Promise<LevelWish> {
  const all = words.split(" ").filter((word) => word !== "");
  const reset = all.includes("--reset");
  return readLevelWords({ words: all.filter((word) => word !== "--reset"), reset, services: ask });
}

async function fixOf(words: string, ask?: () => Promise<string[]>): Promise<unknown> {
  const error = await read(words, ask).then(
    () => assert.fail(`"${words}" was accepted`),
    (thrown: unknown) => thrown,
  );
  assert.ok(isBanyanError(error, "CLI_USAGE"));
  return error.details?.["fix"];
}

describe("the words of banyan log level", () => {
  test("show, set all, set one, reset one", async () => {
    assert.deepEqual(await read("", never), { kind: "show" });
    assert.deepEqual(await read("warn", never), { kind: "set", level: "warn" });
    const one = { kind: "set", service: "greeter", level: "debug" };
    assert.deepEqual(await read("greeter debug", never), one);
    assert.deepEqual(await read("greeter --reset", never), { kind: "reset", service: "greeter" });
    assert.deepEqual(await read("greeter"), { kind: "show", service: "greeter" });
  });

  test("a word that is both is a level alone, and a service before a level", async () => {
    assert.deepEqual(await read("debug"), { kind: "set", level: "debug" });
    const both = { kind: "set", service: "debug", level: "debug" };
    assert.deepEqual(await read("debug debug"), both);
    assert.deepEqual(await read("debug --reset"), { kind: "reset", service: "debug" });
  });

  test("a wrong word is answered with the nearest, also in the wrong order", async () => {
    assert.equal(await fixOf("debgu"), "Did you mean debug?");
    assert.equal(await fixOf("greter"), "Did you mean greeter?");
    assert.match(String(await fixOf("xyz")), /^Levels: debug, .*\. Services: greeter,/);
    assert.match(String(await fixOf("greeter wran", never)), /`banyan log level greeter warn`/);
    assert.match(String(await fixOf("greeter loud", never)), /^Levels: /);
    assert.match(String(await fixOf("warn greeter", never)), /`banyan log level greeter warn`/);
  });

  test("a reset needs a service and takes no level", async () => {
    assert.match(String(await fixOf("--reset", never)), /greeter --reset/);
    assert.match(String(await fixOf("greeter debug --reset", never)), /one of them/);
  });
});
