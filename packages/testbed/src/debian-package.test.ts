import assert from "node:assert/strict";
import { chmod, readFile, writeFile } from "node:fs/promises";
import { test } from "node:test";
import { spawnProgram } from "./child.ts";
import type { Child } from "./child.ts";
import { temporaryDirectory } from "./temporary-directory.ts";
import type { TemporaryDirectory } from "./temporary-directory.ts";

const rootTest = { skip: process.getuid?.() === 0 ? false : "only root installs anything" };

/** Stands in for apt-get and dpkg: notes how it is called, and installs `made-up`. */
const pretender = `#!/bin/sh
words="$(basename "$0") $*"
echo "begin $words" >> "$BIN/log"
sleep 0.05
refuse() { echo "$1" >&2; echo "end" >> "$BIN/log"; exit 100; }
case "$words" in
  *update*) touch "$BIN/updated" ;;
  *configure*) touch "$BIN/configured" ;;
  *install*)
    [ -e "$BIN/updated" ] || refuse "E: Unable to locate package made-up"
    [ -e "$BIN/configured" ] || refuse "E: dpkg was interrupted, you must run it"
    [ "$BREAK" = "" ] || refuse "E: $BREAK"
    echo "starter $(command -v invoke-rc.d)" >> "$BIN/log"
    printf '#!/bin/sh\\n' > "$BIN/made-up"
    chmod +x "$BIN/made-up" ;;
esac
echo "end" >> "$BIN/log"
`;

async function makePretenders(): Promise<TemporaryDirectory> {
  const folder = await temporaryDirectory("pretenders");
  for (const name of ["apt-get", "dpkg"]) {
    await writeFile(folder.join(name), pretender);
    await chmod(folder.join(name), 0o755);
  }
  return folder;
}

/** A test process of its own that needs the program; prints where it is, or what is wrong. */
function need(folder: TemporaryDirectory, env: Record<string, string> = {}): Child {
  const module = new URL("required-programs.ts", import.meta.url).href;
  const code = `
    import { ensurePrograms } from ${JSON.stringify(module)};
    const required = { what: "Made Up 1", programs: ["made-up"], packages: ["made-up"] };
    await ensurePrograms(required).then(
      (paths) => console.log("found " + paths["made-up"]),
      (error) => console.log("error " + error.message.replaceAll("\\n", " ")),
    );`;
  const path = `${folder.path}:/usr/bin:/bin`;
  const args = ["--conditions=source", "--input-type=module", "-e", code];
  return spawnProgram(process.execPath, args, {
    env: { BIN: folder.path, PATH: path, BREAK: "", BANYAN_TEST_INSTALL: undefined, ...env },
  });
}

async function logOf(folder: TemporaryDirectory): Promise<string[]> {
  return (await readFile(folder.join("log"), "utf8")).trimEnd().split("\n");
}

test(
  "a missing program is installed; lists and dpkg are mended only when asked",
  rootTest,
  async () => {
    await using folder = await makePretenders();
    await using child = need(folder);
    const { match } = await child.waitForLine(/^found (.+)$/);
    assert.equal(match[1], folder.join("made-up"));
    await child.waitForLine(/not installed; installing with apt-get/, { stream: "stderr" });
    const log = await logOf(folder);
    const begun = log.filter((line) => line.startsWith("begin"));
    const install = /^begin apt-get -o DPkg::Lock::Timeout=\d+ .*install --yes .*made-up$/;
    assert.equal(begun.length, 5);
    for (const index of [0, 2, 4]) assert.match(begun[index] ?? "", install);
    assert.match(begun[1] ?? "", /^begin apt-get .*update$/);
    assert.match(begun[3] ?? "", /^begin dpkg --configure -a$/);
    const starter = log.find((line) => line.startsWith("starter"));
    assert.match(starter ?? "", /banyan-no-services-\w+\/invoke-rc\.d$/);
  },
);

test("test processes that install at the same time take turns", rootTest, async () => {
  await using folder = await makePretenders();
  await using first = need(folder);
  await using second = need(folder);
  await Promise.all([first.waitForLine(/^found/), second.waitForLine(/^found/)]);
  const log = (await logOf(folder)).filter((line) => !line.startsWith("starter"));
  for (const [index, line] of log.entries()) {
    assert.match(line, index % 2 === 0 ? /^begin/ : /^end$/);
  }
});

test("what cannot be installed is an error with apt's words and a way out", rootTest, async () => {
  await using folder = await makePretenders();
  await using child = need(folder, { BREAK: "the disk is full" });
  await child.waitForLine(
    /^error .*needs made-up \(Made Up 1\).*the disk is full.*apt-get install/,
  );
  await using forbidden = need(folder, { BANYAN_TEST_INSTALL: "0" });
  await forbidden.waitForLine(/^error .*BANYAN_TEST_INSTALL=0 forbids/);
});
