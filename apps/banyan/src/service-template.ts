/**
 * A new service as files: small, whole, and the way a service should look. Its test passes as
 * written.
 */

export interface TemplateOptions {
  /** `hello`, `game-session`. */
  readonly name: string;
  readonly layer: string;
  /** Version of the platform's packages to depend on. */
  readonly platformVersion: string;
  /** Path of a tsconfig to extend, where the workspace has one. */
  readonly baseConfig: string | undefined;
  /** Path of the platform's `packages`; `undefined` outside its repository. */
  readonly packagesFolder: string | undefined;
}

/** Relative path → text. */
export function serviceFiles(options: TemplateOptions): ReadonlyMap<string, string> {
  const { name } = options;
  return new Map([
    ["package.json", json(manifest(options))],
    ["tsconfig.json", json(compilerConfig(options))],
    ["README.md", readme(name)],
    [`src/${name}.contract.ts`, contractText(options)],
    [`src/${name}.service.ts`, serviceText(options)],
    [`src/${name}.test.ts`, testText(name)],
  ]);
}

/** `game-session` → `gameSession`: the contract's name in code. */
function identifierOf(name: string): string {
  return name.replaceAll(/-([a-z0-9])/g, (_match, letter: string) => letter.toUpperCase());
}

/** As a formatter would leave it: lists of words on one line. */
function json(value: object): string {
  const text = JSON.stringify(value, undefined, 2).replaceAll(
    /\[\n\s+("[^"]*"(?:,\n\s+"[^"]*")*)\n\s+\]/g,
    (_match, words: string) => `[${words.replaceAll(/\n\s+/g, " ")}]`,
  );
  return `${text}\n`;
}

function manifest({ name, layer, platformVersion, packagesFolder }: TemplateOptions): object {
  const flag = packagesFolder === undefined ? "" : "--conditions=source ";
  return {
    name: packagesFolder === undefined ? name : `@banyan/${name}`,
    version: "0.1.0",
    private: true,
    description: `The service ${name}.`,
    license: "Apache-2.0",
    type: "module",
    scripts: { test: `node ${flag}--test "src/**/*.test.ts"` },
    dependencies: { "@banyan/kernel": platformVersion },
    devDependencies: { "@banyan/host": platformVersion },
    engines: { node: ">=24" },
    banyan: { service: name, layer, module: `./src/${name}.service.ts` },
  };
}

function compilerConfig({ baseConfig, packagesFolder }: TemplateOptions): object {
  if (baseConfig !== undefined) {
    return {
      extends: baseConfig,
      compilerOptions: { rootDir: "src", outDir: "dist" },
      include: ["src"],
      references: packagesFolder === undefined ? [] : [{ path: `${packagesFolder}/kernel` }],
    };
  }
  return {
    compilerOptions: {
      target: "es2024",
      lib: ["es2025", "esnext.disposable"],
      module: "nodenext",
      types: ["node"],
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      erasableSyntaxOnly: true,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
      rootDir: "src",
      outDir: "dist",
    },
    include: ["src"],
  };
}

function contractText({ name, layer }: TemplateOptions): string {
  const layerLine = layer === "L4" ? "" : `  layer: "${layer}",\n`;
  return `/** What ${name} offers: types, routes and documentation all come from this value. */

import { defineContract, t } from "@banyan/kernel";

export const ${identifierOf(name)} = defineContract("${name}", {
  summary: "Says something and counts how often.",
  version: "1.0.0",
${layerLine}  config: t.Object({
    greeting: t.String({ default: "Hello", description: "First word of every answer." }),
  }),
  stores: {
    calls: { durability: "durable", value: t.Object({ count: t.Integer() }) },
  },
  events: {
    said: t.Object({ to: t.String(), count: t.Integer() }),
  },
  operations: {
    say: {
      summary: "Say hello to somebody.",
      access: "anonymous",
      request: t.Object({ to: t.String({ minLength: 1, maxLength: 64 }) }),
      response: t.Object({ text: t.String(), count: t.Integer() }),
    },
  },
});
`;
}

function serviceText({ name }: TemplateOptions): string {
  return `/** The code behind the contract of ${name}. */

import { defineService } from "@banyan/kernel";
import { ${identifierOf(name)} } from "./${name}.contract.ts";

export default defineService(${identifierOf(name)}, ({ config, stores, publish }) => ({
  operations: {
    async say({ to }, call) {
      const { count } = await stores.calls.update(
        to,
        (before) => ({ count: (before?.count ?? 0) + 1 }),
        call,
      );
      await publish("said", { to, count });
      return { text: \`\${config.greeting}, \${to}!\`, count };
    },
  },
}));
`;
}

function testText(name: string): string {
  const id = identifierOf(name);
  return `import assert from "node:assert/strict";
import { test } from "node:test";
import { openNode } from "@banyan/host";
import { ${id} } from "./${name}.contract.ts";
import service from "./${name}.service.ts";

test("${name} counts how often it spoke to somebody", async () => {
  await using node = await openNode({ services: [service], inMemory: true });
  const client = node.client(${id});
  assert.deepEqual(await client.say({ to: "Ada" }), { text: "Hello, Ada!", count: 1 });
  assert.deepEqual(await client.say({ to: "Ada" }), { text: "Hello, Ada!", count: 2 });
  assert.deepEqual(await client.say({ to: "Bob" }), { text: "Hello, Bob!", count: 1 });
});

test("${name} refuses an empty name and says where it stands", async () => {
  await using node = await openNode({ services: [service], inMemory: true });
  await assert.rejects(Promise.resolve(node.client(${id}).say({ to: "" })), {
    code: "REQUEST_INVALID",
  });
});
`;
}

function readme(name: string): string {
  return `# ${name}

Says something and counts how often.

| file | what it is |
|---|---|
| \`src/${name}.contract.ts\` | the contract: change this first |
| \`src/${name}.service.ts\` | the code behind it |
| \`src/${name}.test.ts\` | a node in the test's own process |

\`\`\`sh
npm test                          # here
banyan up                         # in the project's folder
banyan call ${name} say to=Ada
banyan describe ${name}
\`\`\`
`;
}
