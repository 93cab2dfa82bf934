import assert from "node:assert/strict";
import { mkdtemp, mkdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isolate } from "./readme-example.ts";
import { loadRepo, repoOf } from "./repo.ts";
import { anchorsOf } from "./rules/links.ts";
import { errorEntries, errorPage, renderErrorPage } from "./rules/error-docs.ts";
import { rules, tidy } from "./tidy.ts";
import type { RuleFinding } from "./tidy.ts";

type Files = Record<string, string>;

/** A small house in which every rule is content. */
function house(changes: Files = {}): Files {
  const manifest = (name: string, dependencies: object = {}, doors = ["."]): string =>
    JSON.stringify({
      name,
      version: "0.1.0",
      description: "A room.",
      type: "module",
      license: "Apache-2.0",
      engines: { node: ">=24" },
      files: ["dist"],
      exports: Object.fromEntries(doors.map((door) => [door, "./src/index.ts"])),
      dependencies,
    });
  const references = (...paths: string[]): string =>
    `{ // comments are allowed\n"references": ${JSON.stringify(paths.map((path) => ({ path })))} }`;
  return {
    "package.json": JSON.stringify({ devDependencies: { "fast-check": "4" } }),
    "packages/kernel/package.json": manifest("@banyan/kernel", {}, [".", "./internal"]),
    "packages/kernel/tsconfig.json": references(),
    "packages/kernel/src/index.ts": 'export { nap } from "./nap.ts";\n',
    "packages/kernel/src/nap.ts": "/** Sleeps. */\nexport function nap(): void {}\n",
    "packages/state/package.json": manifest("@banyan/state", { "@banyan/kernel": "0.1.0" }, [
      ".",
      "./conformance",
    ]),
    "packages/state/tsconfig.json": references("../kernel"),
    "packages/state/src/index.ts": 'export { nap } from "@banyan/kernel";\n',
    "packages/state/src/store.test.ts":
      'import "fast-check";\nimport "@banyan/state/conformance";\n',
    "services/hello/package.json": manifest("@banyan/hello", { "@banyan/kernel": "0.1.0" }),
    "services/hello/tsconfig.json": references("../../packages/kernel"),
    "services/hello/src/index.ts": 'export { nap } from "@banyan/kernel";\n',
    ...changes,
  };
}

async function findings(changes: Files): Promise<RuleFinding[]> {
  return tidy(repoOf(house(changes)), []);
}

/** Broken trees: what is broken, the rule that must catch it, and the words it must use. */
interface Liar {
  readonly title: string;
  readonly rule: string;
  readonly files: Files;
  readonly says: RegExp;
}

const kernelFile = (text: string): Files => ({ "packages/kernel/src/nap.ts": text });
const catalogue = (row: string): Files => ({
  "packages/kernel/src/errors.ts": [
    'import { defineErrors } from "./nap.ts";',
    `export const e = defineErrors({ ${row} });`,
  ].join("\n"),
  [errorPage]: "# Error codes\n\n| `OLD_ONE` | internal | gone |\n",
});

const liars: readonly Liar[] = [
  {
    title: "an import of a higher floor",
    rule: "floors",
    files: kernelFile('import "@banyan/state";\n'),
    says: /packages\/kernel \(floor 0\).*packages\/state is on floor 2/,
  },
  {
    title: "an import of a sibling",
    rule: "floors",
    files: {
      "packages/telemetry/package.json": '{"name":"@banyan/telemetry"}',
      "packages/access/package.json": '{"name":"@banyan/access"}',
      "packages/access/src/index.ts": 'import "@banyan/telemetry";\n',
    },
    says: /packages\/telemetry is on floor 1/,
  },
  {
    title: "a backend that imports the host",
    rule: "floors",
    files: {
      "packages/host/package.json": '{"name":"@banyan/host"}',
      "backends/sqlite/package.json": '{"name":"@banyan/sqlite"}',
      "backends/sqlite/src/index.ts": 'import type { Node } from "@banyan/host";\n',
    },
    says: /may import floors 0 to 4/,
  },
  {
    title: "a relative import out of the package",
    rule: "floors",
    files: { "packages/state/src/index.ts": 'import "../../kernel/src/nap.ts";\n' },
    says: /leaves the package/,
  },
  {
    title: "a door that is not in exports",
    rule: "floors",
    files: { "packages/state/src/index.ts": 'await import("@banyan/kernel/src/nap.ts");\n' },
    says: /has no door ".\/src\/nap.ts"/,
  },
  {
    title: "a service that uses a sister door",
    rule: "floors",
    files: { "services/hello/src/index.ts": 'import "@banyan/kernel/internal";\n' },
    says: /services\/\* may use public doors only/,
  },
  {
    title: "a law loaded outside the tests",
    rule: "floors",
    files: { "services/hello/src/index.ts": 'import "@banyan/state/conformance";\n' },
    says: /may be imported by tests only/,
  },
  {
    title: "the testbed in production",
    rule: "floors",
    files: {
      "packages/testbed/package.json": '{"name":"@banyan/testbed"}',
      "services/hello/src/index.ts": 'import "@banyan/testbed";\n',
    },
    says: /packages\/testbed may be imported by tests and benches only/,
  },
  {
    title: "two files that import each other's types",
    rule: "cycles",
    files: {
      ...kernelFile('import type { A } from "./one.ts";\nexport type B = A;\n'),
      "packages/kernel/src/one.ts": 'import type { B } from "./nap.ts";\nexport type A = B[];\n',
    },
    says: /nap\.ts → packages\/kernel\/src\/one\.ts/,
  },
  {
    title: "an import that package.json does not list",
    rule: "dependencies",
    files: kernelFile('import "left-pad";\n'),
    says: /imports left-pad, which packages\/kernel\/package.json does not list/,
  },
  {
    title: "a listed dependency that nobody imports",
    rule: "dependencies",
    files: { "packages/state/src/index.ts": "export const a = 1;\n" },
    says: /lists @banyan\/kernel, which no source/,
  },
  {
    title: "a missing tsconfig reference",
    rule: "dependencies",
    files: { "packages/state/tsconfig.json": "{}" },
    says: /lacks a reference to packages\/kernel/,
  },
  {
    title: "a tsconfig reference without dependency",
    rule: "dependencies",
    files: { "packages/kernel/tsconfig.json": '{"references":[{"path":"../state"}]}' },
    says: /refers to packages\/state, no dependency/,
  },
  {
    title: "a package that the build does not know",
    rule: "dependencies",
    files: { "tsconfig.build.json": '{"references":[{"path":"packages/kernel"}]}' },
    says: /lacks a reference to packages\/state/,
  },
  {
    title: "a driver in a service",
    rule: "drivers",
    files: { "services/hello/src/index.ts": 'import { DatabaseSync } from "node:sqlite";\n' },
    says: /node:sqlite is a driver/,
  },
  {
    title: "a public function without a word",
    rule: "door-docs",
    files: kernelFile("export function nap(): void {}\n"),
    says: /nap is public and has no doc comment/,
  },
  {
    title: "a package with a loose version and no licence",
    rule: "manifests",
    files: {
      "packages/kernel/package.json":
        '{"name":"@banyan/kernel","type":"module","private":true,"dependencies":{"zod":"^4"}}',
    },
    says: /"license" must be "Apache-2\.0"\.\nzod must have an exact version/,
  },
  {
    title: "a sister in another version",
    rule: "manifests",
    files: {
      "packages/kernel/package.json": '{"name":"@banyan/kernel","version":"0.2.0"}',
    },
    says: /@banyan\/kernel is "0\.1\.0" here and "0\.2\.0" at home/,
  },
  {
    title: "a lock file without another platform's binary, in other step, with a registry",
    rule: "lockfile",
    files: {
      "package-lock.json": JSON.stringify({
        packages: {
          "packages/kernel": { dependencies: { zod: "4.0.0" } },
          "packages/state": { dependencies: { "@banyan/kernel": "0.1.0" } },
          "node_modules/lint": {
            optionalDependencies: { "lint-darwin": "1.0.0" },
            resolved: "https://npm.corp.example/lint.tgz",
          },
        },
      }),
    },
    says: new RegExp(
      [
        "lacks lint-darwin.*",
        "has no hash for node_modules/lint.*",
        "has other dependencies than packages/kernel.*",
        "lacks services/hello.*",
        "names a registry for node_modules/lint \\(npm\\.corp\\.example\\)",
      ].join("\\n"),
    ),
  },
  {
    title: "a file of 501 lines",
    rule: "sizes",
    files: kernelFile("export {};\n".repeat(501)),
    says: /501 lines; at most 500/,
  },
  {
    title: "a function of 71 lines",
    rule: "sizes",
    files: kernelFile(`const nap = () => {\n${"  nap();\n".repeat(69)}};\n`),
    says: /nap has 71 lines/,
  },
  {
    title: "a fourth parameter",
    rule: "sizes",
    files: kernelFile("class A { b(a: 1, b: 2, c: 3, d = 4): void {} }\n"),
    says: /b has 4 parameters/,
  },
  {
    title: "a line of 101 columns",
    rule: "sizes",
    files: kernelFile(`// ${"x".repeat(98)}\n`),
    says: /101 columns/,
  },
  {
    title: "a file called utils",
    rule: "names",
    files: { "packages/kernel/src/utils.ts": "" },
    says: /"utils" says nothing/,
  },
  {
    title: "a file in camel case",
    rule: "names",
    files: { "packages/kernel/src/napTime.ts": "" },
    says: /kebab-case/,
  },
  {
    title: "a numbered file",
    rule: "names",
    files: { "packages/kernel/src/store-2.ts": "" },
    says: /numbered file/,
  },
  {
    title: "export *",
    rule: "syntax",
    files: { "packages/kernel/src/index.ts": 'export * from "./nap.ts";\n' },
    says: /`export \*` hides/,
  },
  {
    title: "an enum",
    rule: "syntax",
    files: kernelFile("export enum A { B }\n"),
    says: /not erasable/,
  },
  {
    title: "a cast without a reason",
    rule: "syntax",
    files: kernelFile("declare const a: unknown;\n\nexport const b = a as string;\n"),
    says: /`as` needs a comment/,
  },
  {
    title: "a clock of its own",
    rule: "chance",
    files: kernelFile("export const at = Date.now();\n"),
    says: /Date\.now.*Clock/,
  },
  {
    title: "a random id of its own",
    rule: "chance",
    files: kernelFile('import { randomUUID } from "node:crypto";\nrandomUUID();\n'),
    says: /randomUUID of node:crypto/,
  },
  {
    title: "a sleep",
    rule: "chance",
    files: kernelFile("setTimeout(() => {}, 10);\n"),
    says: /setTimeout/,
  },
  {
    title: "process.env outside the apps",
    rule: "surroundings",
    files: kernelFile('export const home = process.env["HOME"];\n'),
    says: /process\.env/,
  },
  {
    title: "console in a service",
    rule: "surroundings",
    files: { "services/hello/src/index.ts": "console.log(1);\n" },
    says: /console\.log/,
  },
  {
    title: "a path of somebody's machine",
    rule: "machine",
    files: kernelFile('export const home = "/home/ada";\n'),
    says: /folder of one machine/,
  },
  {
    title: "a TODO without an owner",
    rule: "todos",
    files: kernelFile("// TODO later\n"),
    says: /write TODO\(#n\)/,
  },
  {
    title: "a code that the page lacks, and one that only the page has",
    rule: "error-docs",
    files: catalogue('NAP_LATE: { kind: "internal", summary: "Late." }'),
    says: /lacks NAP_LATE; still has OLD_ONE/,
  },
  {
    title: "a code of a contract that the page lacks",
    rule: "error-docs",
    files: {
      "services/hello/src/hello.contract.ts": [
        'import { nap } from "@banyan/kernel";',
        'nap(defineContract("hello", { errors: { HELLO_LATE: { kind: "internal", summary: "" } } }));',
      ].join("\n"),
    },
    says: /lacks HELLO_LATE/,
  },
  {
    title: "a code whose summary cannot be read",
    rule: "error-docs",
    files: catalogue('NAP_LATE: { kind: "internal", summary: text() }'),
    says: /must be plain literals/,
  },
  {
    title: "a code past every catalogue",
    rule: "error-docs",
    files: kernelFile('throw new BanyanError({ kind: "internal", code: "NAP_LOST" });\n'),
    says: /NAP_LOST is in no catalogue/,
  },
  {
    title: "a dead link",
    rule: "links",
    files: { "README.md": "[there](docs/nowhere.md)\n" },
    says: /dead link: docs\/nowhere\.md/,
  },
  {
    title: "a dead anchor",
    rule: "links",
    files: { "README.md": "# Here\n[there](#elsewhere)\n" },
    says: /dead anchor: #elsewhere/,
  },
  {
    title: "a long README",
    rule: "readme-size",
    files: { "README.md": "line\n".repeat(121) },
    says: /121 lines; at most 120/,
  },
];

describe("tidy", () => {
  test("a clean house has no finding", async () => {
    assert.deepEqual(await findings({}), []);
  });

  for (const { title, rule, files, says } of liars) {
    test(`catches ${title}`, async () => {
      const found = await findings(files);
      const messages = found.filter((each) => each.rule === rule).map(({ message }) => message);
      assert.match(messages.join("\n"), says);
    });
  }

  test("every rule but the one that runs programs has a liar here", () => {
    const caught = new Set(liars.map(({ rule }) => rule));
    const uncaught = rules.map(({ name }) => name).filter((name) => !caught.has(name));
    assert.deepEqual(uncaught, ["readme-examples"]);
  });

  test("what is allowed stays allowed", async () => {
    const allowed = await findings({
      ...kernelFile(
        [
          "declare const a: unknown;",
          'export const kinds = ["a", "b"] as const;',
          "// Narrowed by the caller.",
          "export const b = a as string;",
          "// TODO(#7): a better way",
          `export const text = "${"a long sentence ".repeat(10)}";`,
          'export const now = new Date("2026-01-01");',
          "",
        ].join("\n"),
      ),
      "packages/kernel/src/nap.test.ts": 'setTimeout(() => console.log(process.env["A"]), 1);\n',
    });
    assert.deepEqual(allowed, []);
  });
});

describe("exceptions", () => {
  const files = house(kernelFile("export const at = Date.now();\n"));
  const file = "packages/kernel/src/nap.ts";

  test("an exception by name silences its rule for its file", async () => {
    assert.deepEqual(await tidy(repoOf(files), [{ rule: "chance", file, reason: "clock" }]), []);
  });

  test("an exception that nothing needs is a finding", async () => {
    const unused = { rule: "sizes", file, reason: "none" };
    const found = await tidy(repoOf(house()), [unused]);
    assert.match(found.map(({ message }) => message).join(), /sizes for .* is not needed any more/);
  });
});

describe("the error page", () => {
  test("what is rendered satisfies the rule", async () => {
    const files = catalogue('A_ONE: { kind: "not_found", http: 410, summary: "Gone " + "now." }');
    const page = renderErrorPage(errorEntries(repoOf(house(files))));
    assert.match(page, /\| `A_ONE` \| not_found \(HTTP 410\) \| Gone now\. \|/);
    const found = await findings({ ...files, [errorPage]: page });
    assert.deepEqual(
      found.filter(({ rule }) => rule === "error-docs"),
      [],
    );
  });
});

describe("anchors", () => {
  test("headings become anchors as GitHub makes them", () => {
    const text = "# A `b` & C!\n## Same\n## Same\n```\n# not me\n```\n";
    assert.deepEqual([...anchorsOf(text)], ["a-b--c", "same", "same-1"]);
  });
});

describe("README examples", () => {
  const run = async (code: string): Promise<string[]> => {
    const root = await mkdtemp(join(tmpdir(), "tidy-"));
    try {
      await mkdir(join(root, "packages/kernel"), { recursive: true });
      const readme = `# Kernel\n\n\`\`\`ts run\n${code}\n\`\`\`\n`;
      await writeFile(join(root, "packages/kernel/README.md"), readme);
      const found = await tidy(loadRepo(root), []);
      return found.map(({ rule, line, message }) => `${rule} ${line} ${message}`);
    } finally {
      await rm(root, { recursive: true });
    }
  };

  test("an example that keeps its word passes", async () => {
    const code = [
      "const sum: number = 1 + 1; //=> 2",
      "await Promise.resolve({ a: [sum] }); //=> { a: [2] }",
      'console.log("sum", sum); //=> sum 2',
    ].join("\n");
    assert.deepEqual(await run(code), []);
  });

  test("an example that lies is caught, with the line of the README", async () => {
    const [found = ""] = await run("const a = 1;\na + 1; //=> 3");
    assert.match(found, /^readme-examples 3 the example failed:/);
    assert.match(found, /README says \/\/=> 3, but it is 2/);
    assert.match(found, /\.readme-example-0\.ts:5/);
  });

  test("an example that throws is caught", async () => {
    assert.match((await run('throw new Error("no bed");')).join(), /no bed/);
  });

  test("a claim behind no statement is a mistake", () => {
    assert.match(isolate("if (a) {\n} //=> 3"), /stands behind no statement/);
  });
});
