import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { describe, test } from "node:test";
import { temporaryDirectory } from "@banyan/testbed";
import { findConfigFile, openConfigFile, parseConfigFile } from "./config-file.ts";

const text = `# a comment
http:
  port: 7600
services:
  greeter:
    salutation: Hello
    "odd/key~": 1
discover: [a, b]
list:
  - x
  - deep: 1
`;

describe("places in a configuration file", () => {
  const places: [pointer: string, line: number, column: number][] = [
    ["/http/port", 3, 9],
    ["/http", 2, 1],
    ["/services/greeter/salutation", 6, 17],
    ["/services/greeter/odd~1key~0", 7, 17],
    ["/discover/1", 8, 15],
    ["/list/1/deep", 11, 11],
    ["/http/missing", 2, 1],
    ["/services/greeter/none/deeper", 5, 3],
  ];
  for (const [pointer, line, column] of places) {
    test(`${pointer} stands at ${line}:${column}`, async () => {
      const { locate } = await parseConfigFile(text, "banyan.yaml");
      assert.deepEqual(locate?.(pointer), { line, column });
    });
  }

  test("an alias leads to the place of its anchor", async () => {
    const { locate, tree } = await parseConfigFile("a: &x\n  b: 1\nc: *x\n", "f");
    assert.deepEqual(tree, { a: { b: 1 }, c: { b: 1 } });
    assert.deepEqual(locate?.("/c/b"), { line: 2, column: 6 });
  });

  test("an empty file is an empty configuration", async () => {
    const { tree, locate } = await parseConfigFile("# nothing\n", "f");
    assert.equal(tree, null);
    assert.equal(locate?.("/http"), undefined);
  });

  test("a key named __proto__ is a key like any other", async () => {
    const { tree } = await parseConfigFile("__proto__: { x: 1 }\n", "f");
    assert.deepEqual(Object.keys(tree as object), ["__proto__"]);
  });
});

describe("a file that cannot be used", () => {
  const refused = (yaml: string, pattern: RegExp): Promise<void> =>
    assert.rejects(
      parseConfigFile(yaml, "banyan.yaml"),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, "CLI_CONFIG_UNREADABLE");
        assert.match(error.message, pattern);
        return true;
      },
    );

  test("a syntax error names its line", () =>
    refused("a: 1\nb: [1\nc: 2\n", /^banyan\.yaml:\d+:\d+: /));
  test("a repeated key is refused", () =>
    refused("a: 1\nb: 2\na: 3\n", /^banyan\.yaml:3:1: .*unique/));
  test("two documents are refused, in words for who wrote them", () =>
    refused("a: 1\n---\nb: 2\n", /^banyan\.yaml:2:1: A second document begins/));
  test("a file of anchors that would fill the memory is refused", () => {
    const levels = Array.from({ length: 9 }, (_, i) => {
      const before = i === 0 ? "lol" : `*l${i - 1}`;
      return `l${i}: &l${i} [${Array.from({ length: 9 }, () => before).join(", ")}]`;
    });
    return refused(levels.join("\n"), /alias/i);
  });

  test("a missing, a foreign and a huge file say what they are", async () => {
    await using directory = await temporaryDirectory("config");
    const open = (name: string): Promise<unknown> =>
      openConfigFile({ cwd: directory.path, flag: name });
    await assert.rejects(open("none.yaml"), /none\.yaml does not exist/);
    writeFileSync(directory.join("latin.yaml"), Buffer.from([0x61, 0x3a, 0x20, 0xe9]));
    await assert.rejects(open("latin.yaml"), /is not UTF-8/);
    writeFileSync(directory.join("huge.yaml"), Buffer.alloc(1_048_577, 0x23));
    await assert.rejects(open("huge.yaml"), /has 1048577 bytes/);
    await assert.rejects(open("."), /is a folder/);
  });
});

test("the nearest banyan.yaml upwards is found, and --config beats it", async () => {
  await using directory = await temporaryDirectory("config");
  mkdirSync(directory.join("a", "b"), { recursive: true });
  writeFileSync(directory.join("banyan.yaml"), "http: { port: 1 }\n");
  const cwd = directory.join("a", "b");
  assert.equal(findConfigFile({ cwd }), directory.join("banyan.yaml"));
  assert.equal(findConfigFile({ cwd, flag: "x.yaml" }), directory.join("a", "b", "x.yaml"));
  writeFileSync(directory.join("a", "banyan.yaml"), "http: { port: 2 }\n");
  const found = await openConfigFile({ cwd });
  assert.deepEqual(found?.file.tree, { http: { port: 2 } });
});
