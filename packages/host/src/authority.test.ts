import assert from "node:assert/strict";
import { chmod, mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { describe, test } from "node:test";
import { anonymous, operator } from "@banyan/kernel/internal";
import { temporaryDirectory } from "@banyan/testbed";
import {
  adminTokenFile,
  createAdminAuthenticator,
  createLocalAuthorizer,
  openAdminToken,
} from "./authority.ts";
import { borrowed, openSample, post } from "./sample-node.test.ts";

describe("The admin token", () => {
  test("is made once, with 256 bits, for its owner's eyes only", async () => {
    await using directory = await temporaryDirectory("token");
    const token = await openAdminToken(directory.path);
    assert.match(token, /^[A-Za-z0-9_-]{43}$/);
    const path = directory.join(adminTokenFile);
    assert.equal((await stat(path)).mode & 0o777, 0o600);
    assert.equal((await readFile(path, "utf8")).trim(), token);
    assert.equal(await openAdminToken(directory.path), token);
  });

  test("gets its mode back when something widened it", async () => {
    await using directory = await temporaryDirectory("token");
    await openAdminToken(directory.path);
    await chmod(directory.join(adminTokenFile), 0o644);
    await openAdminToken(directory.path);
    assert.equal((await stat(directory.join(adminTokenFile))).mode & 0o777, 0o600);
  });

  for (const rubbish of ["", "short", "x".repeat(10_000), "a b"]) {
    test(`is made anew where the file holds ${JSON.stringify(rubbish.slice(0, 6))}`, async () => {
      await using directory = await temporaryDirectory("token");
      const path = directory.join(adminTokenFile);
      await writeFile(path, rubbish, { mode: 0o666 });
      const token = await openAdminToken(directory.path);
      assert.equal(await openAdminToken(directory.path), token);
      assert.equal((await stat(path)).mode & 0o777, 0o600);
    });
  }

  test("that is no file is named, with what to do", async () => {
    await using directory = await temporaryDirectory("token");
    await mkdir(directory.join(adminTokenFile));
    await assert.rejects(openAdminToken(directory.path), {
      code: "NODE_START_FAILED",
      message: /admin-token cannot be used: .*or remove it/,
    });
  });
});

describe("The authenticator", () => {
  const token = "t".repeat(43);
  const { authenticate } = createAdminAuthenticator(token);

  for (const authorization of [`Bearer ${token}`, `bearer ${token}`, `BEARER   ${token}`]) {
    test(`${authorization.slice(0, 9)}… is the operator`, () => {
      assert.deepEqual(authenticate({ authorization }), operator);
    });
  }

  const wrong = [
    token,
    `Basic ${token}`,
    `Bearer ${token}x`,
    `Bearer ${token.slice(1)}`,
    "Bearer ",
    "",
    "Bearer\u0000",
  ];
  for (const authorization of wrong) {
    test(`${JSON.stringify(authorization.slice(0, 12))} is refused without being repeated`, () => {
      assert.throws(
        () => authenticate({ authorization }),
        (error: Error & { code?: string }) => {
          assert.equal(error.code, "CALL_UNAUTHENTICATED");
          assert.doesNotMatch(error.message, /ttt/);
          return true;
        },
      );
    });
  }

  test("refuses everything where there is no token", () => {
    const closed = createAdminAuthenticator(undefined);
    assert.throws(() => closed.authenticate({ authorization: "Bearer undefined" }), {
      code: "CALL_UNAUTHENTICATED",
    });
  });
});

describe("The authorizer", () => {
  const question = { operation: "a.b", request: {} };
  const rules = [
    "internal",
    "authenticated",
    { permission: "a.b" },
    [{ permission: "a.b" }],
  ] as const;

  test("lets everybody do what is open, and the operator everything", () => {
    const { decide } = createLocalAuthorizer();
    assert.deepEqual(decide({ ...question, principal: anonymous, access: "anonymous" }), {
      kind: "allowed",
    });
    for (const access of rules) {
      assert.deepEqual(decide({ ...question, principal: operator, access }), { kind: "allowed" });
      assert.equal(
        Reflect.get(decide({ ...question, principal: anonymous, access }), "kind"),
        "unauthenticated",
      );
      const account = { kind: "account", id: "1" } as const;
      assert.equal(
        Reflect.get(decide({ ...question, principal: account, access }), "kind"),
        "denied",
      );
    }
  });
});

test("over HTTP the token of the data directory alone opens internal operations", async () => {
  await using directory = await temporaryDirectory("token");
  await using sample = await openSample({}, { directory: borrowed(directory.path) });
  const token = (await readFile(directory.join(adminTokenFile), "utf8")).trim();
  const ask = (headers: Record<string, string>): ReturnType<typeof post> =>
    post([sample.url, "/sample/secret"], "{}", headers);
  const answer = await ask({ authorization: `Bearer ${token}` });
  assert.deepEqual(answer.body, { by: "operator" });
  assert.equal((await ask({})).status, 401);
  assert.equal((await ask({ authorization: `Bearer ${token.slice(0, -1)}` })).status, 401);
  const wrongButOpen = await post([sample.url, "/sample/ping"], "{}", {
    authorization: "Bearer x",
  });
  assert.equal(wrongButOpen.status, 401, "a wrong credential is never as good as none");
});

test("with authentication off everybody on this machine is the operator", async () => {
  await using sample = await openSample({ "/http/authentication": "off" });
  assert.deepEqual((await post([sample.url, "/sample/secret"], "{}")).body, { by: "operator" });
});
