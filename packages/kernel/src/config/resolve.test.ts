import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { t } from "../schema/t.ts";
import type { ConfigFile } from "./read-sources.ts";
import { resolveConfig, sectionValue } from "./resolve.ts";
import type { ConfigResolution, ResolveConfigInput } from "./resolve.ts";
import type { ConfigSection } from "./sections.ts";

const http: ConfigSection = {
  path: ["http"],
  envPrefix: "BANYAN_HTTP",
  schema: {
    type: "object",
    required: ["port", "host"],
    properties: {
      port: { type: "integer", minimum: 0, maximum: 65535, default: 7600 },
      host: { type: "string", minLength: 1, default: "127.0.0.1" },
      origins: { type: "array", items: { type: "string" } },
      tls: {
        type: "object",
        required: ["certFile"],
        properties: {
          certFile: { type: "string" },
          minVersion: { enum: ["1.2", "1.3"], default: "1.3" },
        },
      },
    },
  },
};

const greeter: ConfigSection = {
  path: ["services", "greeter"],
  envPrefix: "BANYAN_GREETER",
  schema: {
    type: "object",
    required: ["salutationText", "apiKey"],
    properties: {
      salutationText: { type: "string", default: "Hello" },
      apiKey: { type: "string", minLength: 8, "x-secret": true },
      limits: { type: "object", additionalProperties: { type: "integer" } },
    },
  },
};

function yaml(tree: unknown, places: Record<string, [number, number]> = {}): ConfigFile {
  return {
    name: "banyan.yaml",
    tree,
    locate(pointer) {
      const place = places[pointer];
      return place === undefined ? undefined : { line: place[0], column: place[1] };
    },
  };
}

function resolveHttp(sources: ResolveConfigInput["sources"]): ConfigResolution {
  return resolveConfig({ sections: [http], sources });
}

function messages({ problems }: ConfigResolution): string[] {
  return problems.map((problem) => problem.message);
}

function fixes({ problems }: ConfigResolution): (string | undefined)[] {
  return problems.map((problem) => problem.fix);
}

describe("values and their origins", () => {
  test("without any source everything is its default", () => {
    const resolution = resolveHttp({});
    assert.deepEqual(resolution.values, { http: { port: 7600, host: "127.0.0.1" } });
    assert.deepEqual(resolution.problems, []);
    assert.deepEqual(resolution.origins.get("/http/port"), { kind: "default", name: "default" });
    assert.equal(resolution.origins.has("/http/origins"), false);
  });

  test("a flag beats a variable, that beats the first file, that beats the second", () => {
    const file = yaml({ http: { port: 1, host: "file" } }, { "/http/port": [2, 9] });
    const other = { name: "base.yaml", tree: { http: { host: "base", origins: ["base"] } } };
    const flags = [{ pointer: "/http/port", value: "3", flag: "--port" }];
    const env = { BANYAN_HTTP_PORT: "2", BANYAN_HTTP_HOST: "env" };
    const resolution = resolveHttp({ flags, env, files: [file, other] });
    assert.deepEqual(resolution.values, { http: { port: 3, host: "env", origins: ["base"] } });
    assert.deepEqual(Object.fromEntries(resolution.origins), {
      "/http/port": { kind: "flag", name: "--port" },
      "/http/host": { kind: "env", name: "BANYAN_HTTP_HOST" },
      "/http/origins": { kind: "file", name: "base.yaml" },
    });
    const fromFile = resolveHttp({ files: [file] });
    const origin = { kind: "file", name: "banyan.yaml", line: 2, column: 9 };
    assert.deepEqual(fromFile.origins.get("/http/port"), origin);
  });

  test("of two flags for one place the later one wins", () => {
    const flags = ["1", "2"].map((value) => ({ pointer: "/http/port", value, flag: "--port" }));
    assert.deepEqual(sectionValue(resolveHttp({ flags }), ["http"]), {
      port: 2,
      host: "127.0.0.1",
    });
  });

  test("declared objects are laid over each other key by key", () => {
    const resolution = resolveHttp({
      env: { BANYAN_HTTP_TLS_MIN_VERSION: "1.2" },
      files: [yaml({ http: { tls: { certFile: "a.pem" } } })],
    });
    const tls = sectionValue(resolution, ["http", "tls"]);
    assert.deepEqual(tls, { certFile: "a.pem", minVersion: "1.2" });
  });

  test("lists and maps are replaced as a whole", () => {
    const resolution = resolveConfig({
      sections: [http, greeter],
      sources: {
        env: {
          BANYAN_HTTP_ORIGINS: "x,y",
          BANYAN_GREETER_LIMITS: '{"b":2}',
          BANYAN_GREETER_API_KEY: "12345678",
        },
        files: [yaml({ http: { origins: ["z"] }, services: { greeter: { limits: { a: 1 } } } })],
      },
    });
    assert.deepEqual(sectionValue(resolution, ["http", "origins"]), ["x", "y"]);
    assert.deepEqual(sectionValue(resolution, ["services", "greeter", "limits"]), { b: 2 });
    assert.deepEqual(resolution.problems, []);
  });

  test("a flag may set a declared object by JSON, and only what it names", () => {
    const flags = [{ pointer: "/http", value: '{"port":9}', flag: "--set http" }];
    const resolution = resolveHttp({ flags, env: { BANYAN_HTTP_HOST: "h" } });
    assert.deepEqual(resolution.values, { http: { port: 9, host: "h" } });
  });

  test("an optional object is absent until a source speaks of it, then it is complete", () => {
    assert.equal(sectionValue(resolveHttp({}), ["http", "tls"]), undefined);
    const touched = resolveHttp({ files: [yaml({ http: { tls: {} } })] });
    assert.deepEqual(messages(touched), ["http.tls.certFile is required and has no default."]);
  });

  test("a section that is not required is absent until a source speaks of it", () => {
    const sections = [{ ...greeter, required: false }];
    assert.deepEqual(resolveConfig({ sections, sources: {} }).values, { services: {} });
  });

  test("the default of an object is laid below the sources like any other", () => {
    const schema = {
      type: "object",
      required: ["limits"],
      properties: {
        limits: {
          type: "object",
          default: { body: 5 },
          required: ["body", "calls"],
          properties: {
            body: { type: "integer", default: 1 },
            calls: { type: "integer", default: 2 },
          },
        },
      },
    };
    const section = { path: ["edge"], envPrefix: "BANYAN_EDGE", schema };
    const env = { BANYAN_EDGE_LIMITS_CALLS: "9" };
    const resolution = resolveConfig({ sections: [section], sources: { env } });
    assert.deepEqual(resolution.values, { edge: { limits: { body: 5, calls: 9 } } });
  });

  test("an empty variable counts as not set, and so does an empty part of the file", () => {
    const env = { BANYAN_HTTP_PORT: "", BANYAN_HTTP_PROT: "" };
    const resolution = resolveHttp({ env, files: [yaml({ http: null }), yaml(null)] });
    assert.deepEqual(resolution.problems, []);
    assert.deepEqual(sectionValue(resolution, ["http", "port"]), 7600);
  });

  test("what comes out is frozen and shares nothing with what went in", () => {
    const origins = ["a"];
    const resolution = resolveHttp({ files: [yaml({ http: { origins } })] });
    const out = sectionValue(resolution, ["http", "origins"]);
    assert.notEqual(out, origins);
    assert.ok(Object.isFrozen(out));
    assert.ok(Object.isFrozen(resolution.values));
    assert.ok(Object.isFrozen(resolution.values["http"]));
  });

  test("a section may be a list, the root, or stand inside another section", () => {
    const sections: ConfigSection[] = [
      {
        path: [],
        envPrefix: "BANYAN",
        schema: { type: "object", properties: { nodeName: { type: "string" } } },
      },
      {
        path: ["discover"],
        envPrefix: "BANYAN_DISCOVER",
        schema: { type: "array", items: { type: "string" }, default: [] },
      },
      { ...http },
      {
        path: ["http", "docs"],
        envPrefix: "BANYAN_HTTP_DOCS",
        schema: { type: "object", properties: { title: { type: "string", default: "Docs" } } },
      },
    ];
    const env = { BANYAN_NODE_NAME: "n1", BANYAN_DISCOVER: "a/*,b/*" };
    const resolution = resolveConfig({ sections, sources: { env } });
    assert.deepEqual(resolution.problems, []);
    assert.deepEqual(resolution.values, {
      nodeName: "n1",
      discover: ["a/*", "b/*"],
      http: { port: 7600, host: "127.0.0.1", docs: { title: "Docs" } },
    });
  });

  test("references and composed objects are seen through", () => {
    const schema = {
      $defs: { port: { type: "integer", default: 1 }, tree: { $ref: "#" } },
      allOf: [
        { type: "object", properties: { a: { $ref: "#/$defs/port" } } },
        { type: "object", required: ["b"], properties: { b: { type: "string" } } },
      ],
    };
    const section = { path: ["x"], envPrefix: "BANYAN_X", schema };
    const env = { BANYAN_X_A: "5", BANYAN_X_B: "five" };
    const resolution = resolveConfig({ sections: [section], sources: { env } });
    assert.deepEqual(resolution.problems, []);
    assert.deepEqual(resolution.values, { x: { a: 5, b: "five" } });
  });
});

describe("problems", () => {
  test("a variable that cannot be converted is named with its value and what was expected", () => {
    const resolution = resolveHttp({ env: { BANYAN_HTTP_PORT: "seven" } });
    assert.deepEqual(messages(resolution), [
      'BANYAN_HTTP_PORT: http.port must be an integer, not "seven".',
    ]);
    assert.deepEqual(fixes(resolution), [
      "Set BANYAN_HTTP_PORT to: integer (0 to 65535); or leave it out for the default 7600.",
    ]);
    assert.equal(sectionValue(resolution, ["http", "port"]), undefined);
  });

  test("a wrong value in the file is named with its line", () => {
    const files = [yaml({ http: { port: 70_000 } }, { "/http/port": [2, 9] })];
    const [message = ""] = messages(resolveHttp({ files }));
    assert.match(message, /^banyan\.yaml:2:9: http\.port must be .*65535.*, not .*70000/);
  });

  test("a broken value that a stronger source covers is no problem", () => {
    const env = { BANYAN_HTTP_PORT: "8080" };
    assert.deepEqual(resolveHttp({ env, files: [yaml({ http: { port: "x" } })] }).problems, []);
  });

  test("a wrong value does not fall back to a weaker source", () => {
    const env = { BANYAN_HTTP_PORT: "x" };
    const resolution = resolveHttp({ env, files: [yaml({ http: { port: 1 } })] });
    assert.equal(resolution.problems.length, 1);
    assert.equal(sectionValue(resolution, ["http", "port"]), undefined);
  });

  test("quotes that make text of a number, or a number of text, are recognised", () => {
    const files = [yaml({ http: { port: "7600", host: 127 } })];
    assert.deepEqual(fixes(resolveHttp({ files })), [
      "Write it in quotes in banyan.yaml: it is meant as text.",
      "Write it without quotes in banyan.yaml.",
    ]);
  });

  test("an unknown key is named with the nearest, or with the place where it belongs", () => {
    const resolution = resolveHttp({ files: [yaml({ http: { prot: 1, x: 1 }, certFile: "" })] });
    assert.deepEqual(messages(resolution), [
      'banyan.yaml: the configuration has no key "certFile".',
      'banyan.yaml: http has no key "prot".',
      'banyan.yaml: http has no key "x".',
    ]);
    assert.deepEqual(fixes(resolution), [
      "Did you mean http.tls.certFile?",
      "Did you mean http.port?",
      "Remove it, or use one of: host, origins, port, tls.",
    ]);
  });

  test("an unknown variable is named with the nearest", () => {
    const resolution = resolveHttp({ env: { BANYAN_HTTP_PROT: "s3cret", OTHER: "x" } });
    assert.deepEqual(messages(resolution), [
      "BANYAN_HTTP_PROT: no configuration reads this variable.",
    ]);
    assert.deepEqual(fixes(resolution), ["Did you mean BANYAN_HTTP_PORT? Rename it, or unset it."]);
  });

  test("an unknown flag target is named with the nearest", () => {
    const flags = [
      { pointer: "/http/prot", value: "1", flag: "--set http.prot" },
      { pointer: "/http/origins/0", value: "1", flag: "--set http.origins.0" },
    ];
    assert.deepEqual(fixes(resolveHttp({ flags })), [
      "Set http.origins as a whole.",
      "Did you mean http.port?",
    ]);
  });

  test("a section that is no set of keys is refused without showing what it is", () => {
    const resolution = resolveHttp({ files: [yaml({ http: "s3cret" })] });
    assert.deepEqual(messages(resolution), [
      "banyan.yaml: http must be a set of keys, not a single string.",
    ]);
    assert.deepEqual(messages(resolveHttp({ files: [yaml(["a"])] })), [
      "banyan.yaml: the configuration must be a set of keys, not a list.",
    ]);
  });

  test("a missing value is told all three ways to set it", () => {
    const resolution = resolveConfig({ sections: [greeter], sources: {} });
    assert.deepEqual(messages(resolution), [
      "services.greeter.apiKey is required and has no default.",
    ]);
    assert.deepEqual(fixes(resolution), [
      "Set it by the flag --set services.greeter.apiKey=…, the variable BANYAN_GREETER_API_KEY " +
        "or services.greeter.apiKey in banyan.yaml.",
    ]);
  });

  test("rules between keys are judged once every key is sound", () => {
    const schema = {
      type: "object",
      properties: { user: { type: "string" }, realm: { type: "string" } },
      dependentRequired: { user: ["realm"] },
    };
    const sections = [{ path: ["sign"], envPrefix: "BANYAN_SIGN", schema }];
    const lone = resolveConfig({ sections, sources: { env: { BANYAN_SIGN_USER: "ada" } } });
    assert.equal(lone.problems.length, 1);
    const env = { BANYAN_SIGN_USER: "ada", BANYAN_SIGN_REALM: "r" };
    assert.deepEqual(resolveConfig({ sections, sources: { env } }).problems, []);
  });

  test("every problem of every source is there at once, files first", () => {
    const resolution = resolveConfig({
      sections: [http, greeter],
      sources: {
        flags: [{ pointer: "/http/port", value: "p", flag: "--port" }],
        env: { BANYAN_HTTP_TLS_MIN_VERSION: "1.1", BANYAN_NOPE: "1" },
        files: [
          yaml(
            { htpp: {}, services: { greeter: { from: 7, salutationText: 1 } } },
            { "/htpp": [9, 1], "/services/greeter/from": [4, 5] },
          ),
        ],
      },
    });
    const places = resolution.problems.map((problem) => problem.origin?.name);
    assert.deepEqual(places, [
      "banyan.yaml",
      "banyan.yaml",
      "banyan.yaml",
      "BANYAN_HTTP_TLS_MIN_VERSION",
      "BANYAN_NOPE",
      "--port",
      undefined,
      undefined,
    ]);
  });
});

describe("services that are not loaded", () => {
  const knownServices = ["greeter", "hello"];
  const sources = {
    env: { BANYAN_HELLO_TEXT: "x", BANYAN_HELLO_ENABLED: "false", BANYAN_EXTRA: "1" },
    files: [yaml({ services: { hello: { text: 7, enabled: false } } })],
  };

  test("their sections and variables are passed over", () => {
    const knownVariables = ["BANYAN_EXTRA"];
    const resolution = resolveConfig({ sections: [http], sources, knownServices, knownVariables });
    assert.deepEqual(resolution.problems, []);
    assert.deepEqual(sectionValue(resolution, ["services", "hello"]), undefined);
  });

  test("prefixes told by the host are passed over too", () => {
    const env = { BANYAN_HELLO_TEXT: "x" };
    const knownPrefixes = ["BANYAN_HELLO_"];
    const resolution = resolveConfig({ sections: [http], sources: { env }, knownPrefixes });
    assert.deepEqual(resolution.problems, []);
  });

  test("services that nobody knows are not", () => {
    const resolution = resolveConfig({ sections: [greeter], sources, knownServices: ["greeter"] });
    assert.deepEqual(
      messages(resolution).filter((message) => message.includes("hello")),
      ['banyan.yaml: services has no key "hello".'],
    );
  });

  test("the switches of services and layers are known variables, and no values", () => {
    const env = {
      BANYAN_GREETER_ENABLED: "true",
      BANYAN_SERVICES_ENABLED: "true",
      BANYAN_ENABLE_EXTENSIONS: "false",
      BANYAN_GREETER_API_KEY: "12345678",
    };
    const files = [yaml({ services: { greeter: { enabled: true, from: "./g.ts" } } })];
    const resolution = resolveConfig({ sections: [greeter], sources: { env, files } });
    assert.deepEqual(resolution.problems, []);
    const value = { salutationText: "Hello", apiKey: "12345678" };
    assert.deepEqual(resolution.values, { services: { greeter: value } });
  });
});

test("a flag cannot carry the reserved keys of a service within an object", () => {
  const direct = { pointer: "/services/greeter/enabled", value: "false", flag: "--set g.enabled" };
  const object = { pointer: "/services/greeter", value: '{"enabled":false}', flag: "--set g" };
  const env = { BANYAN_GREETER_API_KEY: "12345678" };
  const sections = [greeter];
  const fine = resolveConfig({ sections, sources: { env, flags: [direct] } });
  assert.deepEqual(fine.problems, []);
  const wrong = resolveConfig({ sections, sources: { env, flags: [object] } });
  assert.deepEqual(messages(wrong), ["--set g: services.greeter.enabled cannot be set here."]);
});

describe("sections that do not fit together", () => {
  test("two leaves with one variable are both named", () => {
    const properties = { fooBar: { type: "string" }, "foo-bar": { type: "string" } };
    const schema = { type: "object", properties };
    const sections = [{ path: ["x"], envPrefix: "BANYAN_X", schema }];
    assert.deepEqual(messages(resolveConfig({ sections, sources: {} })), [
      "BANYAN_X_FOO_BAR is claimed by both x.fooBar and x.foo-bar.",
    ]);
  });

  test("one place with two owners is refused", () => {
    const [message = ""] = messages(resolveConfig({ sections: [http, http], sources: {} }));
    assert.equal(message, "http is declared by two sections of the configuration.");
  });

  test("a service cannot declare a key the platform keeps for itself", () => {
    const schema = { type: "object", properties: { from: { type: "string" } } };
    const sections = [{ path: ["services", "post"], envPrefix: "BANYAN_POST", schema }];
    const [message = ""] = messages(resolveConfig({ sections, sources: {} }));
    assert.match(message, /^services\.post\.from is reserved by the platform/);
  });
});

test("schemas made by the builder resolve as they read", () => {
  const schema = t.Object({
    mode: t.Enum(["warm", "cold"], { default: "warm" }),
    key: t.Secret({ minLength: 4 }),
    retry: t.Object({ attemptsMax: t.Integer({ default: 3 }), waitMs: t.Number({ default: 0.5 }) }),
    tags: t.Optional(t.Array(t.String())),
    limit: t.Union([t.Integer(), t.Literal("none")], { default: "none" }),
  });
  const env = { BANYAN_POST_KEY: "abcd", BANYAN_POST_RETRY_WAIT_MS: "2", BANYAN_POST_LIMIT: "9" };
  const section = { path: ["services", "post"], envPrefix: "BANYAN_POST", schema };
  const resolution = resolveConfig({ sections: [section], sources: { env } });
  assert.deepEqual(resolution.problems, []);
  assert.deepEqual(sectionValue(resolution, ["services", "post"]), {
    mode: "warm",
    key: "abcd",
    retry: { attemptsMax: 3, waitMs: 2 },
    limit: 9,
  });
});

test("names from the prototype are keys like any other", () => {
  const tree: unknown = JSON.parse('{"__proto__":{"port":1},"http":{"constructor":1}}');
  const resolution = resolveHttp({ files: [yaml(tree)] });
  assert.deepEqual(messages(resolution), [
    'banyan.yaml: the configuration has no key "__proto__".',
    'banyan.yaml: http has no key "constructor".',
  ]);
  assert.equal(sectionValue(resolution, ["constructor"]), undefined);
});
