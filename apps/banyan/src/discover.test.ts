import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { describe, test } from "node:test";
import { temporaryDirectory } from "@banyan/testbed";
import type { TemporaryDirectory } from "@banyan/testbed";
import { discoverServices } from "./discover.ts";
import type { Discovery } from "./discover.ts";
import { findFolders } from "./folder-glob.ts";

function write(directory: TemporaryDirectory, path: string, content: unknown): void {
  const full = directory.join(path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, typeof content === "string" ? content : JSON.stringify(content));
}

function addService(directory: TemporaryDirectory, folder: string, service: string): void {
  write(directory, `${folder}/package.json`, { banyan: { service, module: "./s.ts" } });
  write(directory, `${folder}/s.ts`, "export default 1;");
}

function discover(
  { path }: TemporaryDirectory,
  options: { patterns?: string[]; tree?: unknown; only?: string[] } = {},
): Discovery {
  const { patterns = ["services/*"], tree, only } = options;
  return discoverServices({ base: path, cwd: path, patterns, tree, only });
}

const names = ({ services }: Discovery): string[] => services.map(({ name }) => name);
const messages = ({ offences }: Discovery): string[] =>
  offences.map(({ place, message }) => `${place}: ${message}`);

describe("finding services", () => {
  test("folders with the field are services, others are passed over", async () => {
    await using directory = await temporaryDirectory("discover");
    addService(directory, "services/b", "bee");
    addService(directory, "services/a", "ant");
    addService(directory, "services/.hidden", "hidden");
    write(directory, "services/plain/package.json", { name: "plain" });
    write(directory, "services/empty/README.md", "");
    write(directory, "services/file.txt", "");
    const found = discover(directory);
    assert.deepEqual(names(found), ["ant", "bee"]);
    assert.deepEqual(found.services[0]?.from, "services/a");
    assert.equal(found.services[0]?.layer, "L4");
    assert.deepEqual(found.offences, []);
  });

  test("no folder at all is no mistake", async () => {
    await using directory = await temporaryDirectory("discover");
    assert.deepEqual(discover(directory).services, []);
  });

  test("a folder's module is not loaded before it is asked for", async () => {
    await using directory = await temporaryDirectory("discover");
    addService(directory, "services/a", "ant");
    write(directory, "services/a/s.ts", "throw new Error('loaded');");
    const [service] = discover(directory).services;
    await assert.rejects(async () => service?.load(), /loaded/);
  });

  test("a module that cannot be loaded names its file and line", async () => {
    await using directory = await temporaryDirectory("discover");
    addService(directory, "services/a", "ant");
    const [service] = discover(directory).services;
    write(directory, "services/a/s.ts", "const fine = 1;\nexport default {{{");
    await assert.rejects(async () => service?.load(), /\/services\/a\/s\.ts:2: /);
  });

  test("a path in --services is found by its name, and names stay names", async () => {
    await using directory = await temporaryDirectory("discover");
    addService(directory, "elsewhere/x", "far");
    addService(directory, "services/a", "ant");
    const found = discover(directory, { only: ["./elsewhere/x", "ant"] });
    assert.deepEqual(found.only, ["far", "ant"]);
    assert.deepEqual(names(found), ["ant", "far"]);
  });

  test("`from` beats a folder that was found by a pattern", async () => {
    await using directory = await temporaryDirectory("discover");
    addService(directory, "services/a", "ant");
    addService(directory, "mine/a", "ant");
    const tree = { services: { ant: { from: "./mine/a" } } };
    const found = discover(directory, { tree });
    assert.equal(found.services[0]?.from, "mine/a");
    assert.deepEqual(found.offences, []);
  });

  test("`from` names an installed package", async () => {
    await using directory = await temporaryDirectory("discover");
    addService(directory, "node_modules/@acme/shop", "shop");
    const tree = { services: { shop: { from: "@acme/shop" } } };
    assert.deepEqual(names(discover(directory, { tree })), ["shop"]);
  });
});

describe("a package with several services", () => {
  function addPackage(directory: TemporaryDirectory, folder: string, services: unknown): void {
    write(directory, `${folder}/package.json`, { banyan: { services } });
    for (const name of ["stock", "orders"]) write(directory, `${folder}/${name}.ts`, "");
  }
  const two = [
    { service: "stock", layer: "L3", module: "./stock.ts" },
    { service: "orders", module: "./orders.ts" },
  ];

  test("each is a service of its own, by pattern and by path", async () => {
    await using directory = await temporaryDirectory("discover");
    addPackage(directory, "services/desk", two);
    const found = discover(directory);
    assert.deepEqual(found.offences, []);
    assert.deepEqual(
      found.services.map(({ name, layer, from }) => [name, layer, from]),
      [
        ["orders", "L4", "services/desk"],
        ["stock", "L3", "services/desk"],
      ],
    );
    const byPath = discover(directory, { patterns: [], only: ["./services/desk"] });
    assert.deepEqual(byPath.only, ["stock", "orders"]);
    assert.deepEqual(names(byPath), ["orders", "stock"]);
  });

  test("`from` takes the one of its name, and says which there are", async () => {
    await using directory = await temporaryDirectory("discover");
    addPackage(directory, "shop/desk", two);
    const from = (name: string): Discovery =>
      discover(directory, { tree: { services: { [name]: { from: "./shop/desk" } } } });
    assert.deepEqual(names(from("stock")), ["stock"]);
    const wrong = from("stok");
    assert.deepEqual(messages(wrong), [
      'services.stok.from: shop/desk has the services stock, orders, not "stok".',
    ]);
    assert.equal(wrong.offences[0]?.fix, "Write the section as services.stock.");
  });

  test("everything wrong in a list is named with its place, and the rest is found", async () => {
    await using directory = await temporaryDirectory("discover");
    addPackage(directory, "services/desk", [
      two[0],
      { service: "orders", module: "./none.ts" },
      { service: "stock", module: "./orders.ts" },
      1,
      { servce: "x", module: "./stock.ts" },
    ]);
    const found = discover(directory);
    assert.deepEqual(names(found), ["stock"]);
    const place = "services/desk/package.json#/banyan/services";
    assert.deepEqual(messages(found), [
      `${place}/1/module: There is no file "./none.ts".`,
      `${place}/2/service: "stock" stands in the list already.`,
      `${place}/3: It is not an object.`,
      `${place}/4/servce: There is no key "servce".`,
      `${place}/4/service: The name is missing.`,
    ]);
  });

  test("an empty list, no list, and both forms at once are refused", async () => {
    await using directory = await temporaryDirectory("discover");
    addPackage(directory, "services/a", []);
    addPackage(directory, "services/b", { service: "stock" });
    write(directory, "services/c/package.json", {
      banyan: { service: "stock", services: [{ service: "orders", module: "./s.ts" }] },
    });
    write(directory, "services/c/s.ts", "");
    assert.deepEqual(messages(discover(directory)), [
      "services/a/package.json#/banyan/services: The list is empty.",
      "services/b/package.json#/banyan/services: It is not a list.",
      'services/c/package.json#/banyan/service: "service" stands beside "services"; ' +
        "a package says one or the other.",
    ]);
  });
});

describe("broken service folders", () => {
  const cases: [title: string, manifest: unknown, expected: RegExp][] = [
    ["JSON that is none", "{", /services\/a\/package\.json: It is not JSON/],
    ["a field that is no object", { banyan: 1 }, /#\/banyan: It is not an object/],
    ["no name", { banyan: { module: "./s.ts" } }, /#\/banyan\/service: The name is missing/],
    ["a bad name", { banyan: { service: "A B", module: "./s.ts" } }, /"A B" is no service name/],
    [
      "a bad layer",
      { banyan: { service: "a", layer: "L9", module: "./s.ts" } },
      /"L9" is no layer/,
    ],
    ["no module", { banyan: { service: "a" } }, /#\/banyan\/module: Nothing is no path/],
    [
      "a missing module",
      { banyan: { service: "a", module: "./none.ts" } },
      /There is no file "\.\/none\.ts"/,
    ],
    [
      "a module outside",
      { banyan: { service: "a", module: "../../x.ts" } },
      /is not inside the folder/,
    ],
    ["a mistyped key", { banyan: { service: "a", modul: "./s.ts" } }, /There is no key "modul"/],
  ];
  for (const [title, manifest, expected] of cases) {
    test(`${title} is answered with its place`, async () => {
      await using directory = await temporaryDirectory("discover");
      write(directory, "services/a/package.json", manifest);
      write(directory, "services/a/s.ts", "");
      const found = discover(directory);
      assert.deepEqual(found.services, []);
      assert.match(messages(found).join("\n"), expected);
      assert.ok(found.offences.every(({ fix }) => fix !== ""));
    });
  }

  test("two folders with one name are named both", async () => {
    await using directory = await temporaryDirectory("discover");
    addService(directory, "services/a", "ant");
    addService(directory, "services/b", "ant");
    assert.match(messages(discover(directory)).join(), /services\/a and services\/b are both/);
  });

  test("a folder found by two patterns is one service", async () => {
    await using directory = await temporaryDirectory("discover");
    addService(directory, "services/a", "ant");
    const found = discover(directory, { patterns: ["services/*", "services/a"] });
    assert.deepEqual(names(found), ["ant"]);
    assert.deepEqual(found.offences, []);
  });

  test("a named path or package that is no service is refused", async () => {
    await using directory = await temporaryDirectory("discover");
    write(directory, "plain/package.json", {});
    const named = discover(directory, { only: ["./plain"] });
    assert.match(messages(named).join(), /\.\/plain is no service/);
    assert.equal(named.only, undefined, "the list was not empty as well");
    const tree = { services: { shop: { from: "@acme/none" } } };
    assert.match(messages(discover(directory, { tree })).join(), /"@acme\/none" is not installed/);
  });
});

test("a star stands for one name, literal parts are literal", async () => {
  await using directory = await temporaryDirectory("glob");
  for (const path of ["a/x1/s", "a/x2/s", "a/y/s", "b/x1/s", "a.c/x", "abc/x"]) {
    mkdirSync(directory.join(path), { recursive: true });
  }
  const found = (pattern: string): string[] =>
    findFolders(directory.path, pattern).map((path) => path.slice(directory.path.length + 1));
  assert.deepEqual(found("a/x*"), ["a/x1", "a/x2"]);
  assert.deepEqual(found("*/x1/s"), ["a/x1/s", "b/x1/s"]);
  assert.deepEqual(found("a.*"), ["a.c"]);
  assert.deepEqual(found("none/*"), []);
  assert.deepEqual(found("./a/y"), ["a/y"]);
});
