import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { repoOf } from "../tidy/repo.ts";
import { parseLedger, renderData, renderPage } from "./ledger.ts";
import { checkLedger, outputs, readLedger, unprovenEntries } from "./proofs.ts";

const entry = (changes: Record<string, string> = {}): string => {
  const fields = {
    id: "a.one",
    area: "state",
    promise: "A write survives.",
    target: '"100 %"',
    today: '"100 %"',
    status: "kept",
    proof: '{ test: "packages/state/src/store.test.ts#survives" }',
    ...changes,
  };
  const lines = Object.entries(fields).map(([key, value]) => `  ${key}: ${value}`);
  return `- ${lines.join("\n").trimStart()}\n`;
};

function problemsOf(...texts: string[]): string {
  const files = new Map(texts.map((text, index) => [`readiness/${index}.yaml`, text]));
  return parseLedger(files)
    .problems.map(({ file, message }) => `${file}: ${message}`)
    .join("\n");
}

describe("the readiness ledger", () => {
  test("a well-formed entry is read as it stands", () => {
    const { entries, problems } = parseLedger(new Map([["readiness/a.yaml", entry()]]));
    assert.deepEqual(problems, []);
    assert.deepEqual(entries[0]?.proof, [
      { kind: "test", file: "packages/state/src/store.test.ts", title: "survives" },
    ]);
  });

  test("each mistake is named with its file and its entry", () => {
    assert.match(problemsOf("a: [1"), /readiness\/0\.yaml: /);
    assert.match(problemsOf("a: 1"), /must be a list/);
    assert.match(problemsOf(entry({ promise: '""' })), /\(a\.one\) "promise" must be a text/);
    assert.match(problemsOf(entry({ status: "done" })), /kept, partly, not-yet/);
    assert.match(problemsOf(entry({ owner: "me" })), /no field "owner"/);
    assert.match(problemsOf(entry({ id: "A one" })), /kebab-case/);
    assert.match(problemsOf(entry({ proof: "[]" })), /needs a proof/);
    assert.match(problemsOf(entry({ proof: "{ test: nowhere }" })), /"proof" must be/);
    assert.match(problemsOf(entry(), entry()), /already in readiness\/0\.yaml/);
  });

  test("what is not yet kept needs no proof", () => {
    assert.equal(problemsOf(entry({ status: "not-yet", proof: "[]" })), "");
  });

  test("the page has one line per promise and totals per area", () => {
    const { entries } = parseLedger(new Map([["readiness/a.yaml", entry()]]));
    const page = renderPage(entries);
    assert.match(page, /\| state \| 1 \| 0 \| 0 \|/);
    assert.match(page, /A write survives\. \| 100 % \| 100 % \| kept \| test “survives” in/);
    assert.match(renderData(entries), /"promise": "A write survives\."/);
  });
});

const house = (changes: Record<string, string> = {}): Record<string, string> => ({
  "package.json": '{"scripts":{"build":"x"}}',
  "packages/state/src/store.test.ts": 'test("a write survives a restart", () => {});\n',
  "readiness/state.yaml": entry(),
  ...changes,
});

function check(changes: Record<string, string>): string {
  const files = house(changes);
  const repo = repoOf(files);
  const pages = outputs(repo, readLedger(repo).entries).map(({ path, text }) => [path, text]);
  // Pages given by the test win over the fresh ones.
  const whole = repoOf({ ...Object.fromEntries(pages), ...files });
  return checkLedger(whole)
    .map(({ file, message }) => `${file}: ${message}`)
    .join("\n");
}

describe("proofs", () => {
  test("a proof that stands is enough", () => {
    assert.equal(check({}), "");
    const proof = "[{ check: floors }, { check: lint }, { check: build }]";
    assert.equal(check({ "readiness/state.yaml": entry({ proof }) }), "");
  });

  test("a proof that is missing, skipped or renamed is caught", () => {
    const proof = (text: string): string =>
      check({ "readiness/state.yaml": entry({ proof: text }) });
    assert.match(proof('{ test: "packages/gone.test.ts#x" }'), /there is no file/);
    assert.match(proof('{ test: "packages/state/src/store.test.ts#lasts" }'), /has "lasts"/);
    assert.match(proof("{ check: no-such-rule }"), /no tidy rule, check step or script/);
    assert.match(proof('{ bench: "state#get" }'), /there is no bench\/results\/state\.json/);
    const skipped = 'test.skip("a write survives a restart", () => {});\n';
    assert.match(check({ "packages/state/src/store.test.ts": skipped }), /is skipped/);
  });

  test("a bench proof needs its case, and a kept promise needs it met", () => {
    const result = '{"cases":[{"name":"get","met":false}]}';
    const bench = (changes: Record<string, string>): string =>
      check({
        "bench/results/state.json": result,
        "readiness/state.yaml": entry({ proof: '{ bench: "state#get" }', ...changes }),
      });
    assert.match(bench({}), /missed its target/);
    assert.equal(bench({ status: "partly" }), "");
    assert.match(bench({ proof: '{ bench: "state#set" }' }), /no case "set"/);
  });

  test("a stale page is caught", () => {
    assert.match(check({ "docs/READINESS.md": "# Old\n" }), /READINESS\.md: is stale/);
  });

  test("the command's data is written where the command lives", () => {
    const repo = repoOf(house({ "apps/banyan/package.json": '{"name":"banyan"}' }));
    const paths = outputs(repo, []).map(({ path }) => path);
    assert.deepEqual(paths, ["docs/READINESS.md", "apps/banyan/src/readiness.generated.json"]);
  });

  test("in a full run each proving test must have passed", () => {
    const ledger = readLedger(repoOf(house()));
    const file = "packages/state/src/store.test.ts";
    assert.deepEqual(unprovenEntries(ledger, [{ file, title: "a write survives" }]), []);
    const elsewhere = [{ file: "packages/mesh/src/x.test.ts", title: "a write survives" }];
    assert.match(
      unprovenEntries(ledger, elsewhere)
        .map((p) => p.message)
        .join(),
      /a\.one/,
    );
  });
});
