import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import { parseArguments } from "./parse-arguments.ts";
import { loadVerb } from "./verb-modules.ts";
import { commonFlags, verbs } from "./verb-table.ts";

function refusal(...words: string[]): { message: string; fix: unknown } {
  try {
    parseArguments(words);
  } catch (error) {
    assert.ok(isBanyanError(error, "CLI_USAGE"));
    return { message: error.message, fix: error.details?.["fix"] };
  }
  return assert.fail(`"${words.join(" ")}" was accepted`);
}

describe("arguments", () => {
  test("flags may stand before, between and after the words", () => {
    const parsed = parseArguments([
      "--json",
      "call",
      "--timeout",
      "5s",
      "a",
      "b",
      "x=1",
      "--url=u",
    ]);
    assert.equal(parsed.verb?.name, "call");
    assert.deepEqual(parsed.args, ["a", "b", "x=1"]);
    assert.equal(parsed.flags.text("timeout"), "5s");
    assert.equal(parsed.flags.text("url"), "u");
    assert.ok(parsed.flags.has("json"));
  });

  test("a verb of two words is taken as one", () => {
    const parsed = parseArguments(["new", "service", "hello"]);
    assert.equal(parsed.verb?.name, "new service");
    assert.deepEqual(parsed.args, ["hello"]);
  });

  test("nothing at all, and --help alone, name no verb", () => {
    assert.equal(parseArguments([]).verb, undefined);
    assert.ok(parseArguments(["--help"]).flags.has("help"));
  });

  test("a lone dash is an argument, and -- ends the flags", () => {
    assert.deepEqual(parseArguments(["call", "a", "b", "-"]).args, ["a", "b", "-"]);
    assert.deepEqual(parseArguments(["call", "a", "b", "--", "--x=1"]).args, ["a", "b", "--x=1"]);
  });

  test("--set may be repeated and keeps its order", () => {
    const { flags } = parseArguments(["up", "--set", "a=1", "--set=b=2"]);
    assert.deepEqual(flags.texts("set"), ["a=1", "b=2"]);
  });
});

test("the longest verb that the words name is meant, up to three words", () => {
  const parsed = parseArguments(["events", "dead-letters", "show", "17"]);
  assert.equal(parsed.verb?.name, "events dead-letters show");
  assert.deepEqual(parsed.args, ["17"]);
  assert.match(String(refusal("events", "dead-letters").fix), /dead-letters redrive/);
  assert.match(String(refusal("events", "dead-letters", "lst").fix), /dead-letters list`/);
  assert.match(String(refusal("events", "deadletters").fix), /banyan events dead-letters`/);
  assert.doesNotMatch(String(refusal("complete-valus").fix), /complete-values/);
});

test("the help of a group is asked for with its words alone", () => {
  for (const name of ["state", "events", "events dead-letters", "backup"]) {
    const parsed = parseArguments([...name.split(" "), "--help"]);
    assert.deepEqual([parsed.verb, parsed.group], [undefined, name]);
  }
  assert.match(refusal("state", "gett", "--help").message, /no verb "state gett"/);
  const { message } = refusal("backup");
  assert.equal(message, "`banyan backup` needs one more word: create, verify, restore.");
});

describe("wrong arguments", () => {
  test("a mistyped verb is answered with the nearest one", () => {
    assert.match(String(refusal("servces").fix), /banyan services/);
    assert.match(String(refusal("config", "shw").fix), /banyan config show/);
    assert.match(String(refusal("config").fix), /banyan config validate/);
    assert.match(String(refusal("zzzzzz").fix), /banyan help/);
  });

  test("a mistyped flag is answered with the nearest one, a foreign one with its verbs", () => {
    assert.equal(refusal("up", "--prot", "1").fix, "Did you mean --port?");
    assert.equal(refusal("services", "--watch").fix, "It is a flag of: banyan up.");
    assert.equal(refusal("up", "-x").message, "`banyan up` has no flag -x.");
  });

  test("a flag without its value, or a switch with one, is refused", () => {
    assert.equal(refusal("up", "--port").message, "--port needs a value.");
    assert.equal(refusal("up", "--port", "--json").message, "--port needs a value.");
    assert.equal(refusal("up", "--watch=yes").message, "--watch takes no value.");
    assert.equal(parseArguments(["up", "--host=-x"]).flags.text("host"), "-x");
  });

  test("a flag that may be given once is refused twice", () => {
    assert.match(refusal("up", "--port", "1", "--port", "2").message, /more than once/);
  });

  test("missing and surplus arguments show the usage", () => {
    assert.match(String(refusal("call", "greeter").fix), /^Usage: banyan call <service>/);
    assert.match(refusal("services", "x").message, /no use for "x"/);
  });
});

test("a flag name means one thing in every verb", () => {
  const values = new Map<string, string | undefined>();
  for (const { name, value } of [...commonFlags, ...verbs.flatMap(({ flags }) => flags)]) {
    if (values.has(name)) assert.equal(values.get(name), value, `--${name}`);
    values.set(name, value);
  }
});

test("every verb has its code, a sentence as summary and an example of itself", async () => {
  for (const verb of verbs) {
    assert.match(verb.summary, /^[A-Z].*\.$/, verb.name);
    assert.ok(verb.examples.length > 0 || verb.hidden, verb.name);
    for (const { line } of verb.examples) assert.ok(line.startsWith(`banyan ${verb.name}`), line);
    const module = await loadVerb(verb.name);
    assert.equal(typeof module.run, "function", verb.name);
  }
});
