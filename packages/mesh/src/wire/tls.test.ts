import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, test } from "node:test";
import { createTestCertificates, findReasonToSkip, opensslPrograms } from "@banyan/testbed";
import type { CertificatePair, TestCertificates } from "@banyan/testbed";
import type { PeerTls } from "./peers.ts";
import { dial } from "./sample-peer.test.ts";
import { openTownNode, provideEcho, Town } from "./sample-wire.test.ts";

const skip = await findReasonToSkip(opensslPrograms);
let making: Promise<TestCertificates> | undefined;
after(async () => (await making)?.[Symbol.asyncDispose]());

function tlsOf({ ca, ...pair }: CertificatePair & { readonly ca: string }): PeerTls {
  return {
    ca: readFileSync(ca, "utf8"),
    cert: readFileSync(pair.certificate, "utf8"),
    key: readFileSync(pair.key, "utf8"),
  };
}

/** A node that has no secret: its certificate proves it. */
function certified(town: Town, name: string, tls: PeerTls): ReturnType<typeof openTownNode> {
  return openTownNode(town, name, { secret: undefined, tls });
}

test("nodes with certificates of one authority need no secret", { skip }, async () => {
  const { ca, server, client } = await (making ??= createTestCertificates());
  const town = new Town();
  const back = await certified(town, "back", tlsOf({ ca, ...server }));
  const echo = provideEcho(back);
  const front = await certified(town, "front", tlsOf({ ca, ...client }));
  assert.deepEqual(await echo(front).say({ text: "hi" }), { text: "hi" });
  await front.mesh.close();
  await back.mesh.close();
});

test("a node with a certificate of another authority is refused", { skip }, async () => {
  const { ca, server, foreignClient } = await (making ??= createTestCertificates());
  const town = new Town();
  const back = await certified(town, "back", tlsOf({ ca, ...server }));
  const echo = provideEcho(back);
  const stranger = await certified(town, "stranger", tlsOf({ ca, ...foreignClient }));
  await assert.rejects(echo(stranger).say({ text: "hi" }), { code: "MESH_PEER_REFUSED" });
  await stranger.mesh.close();
  await back.mesh.close();
});

test("a node that trusts another authority does not talk to it", { skip }, async () => {
  const { ca, foreignCa, server, client } = await (making ??= createTestCertificates());
  const town = new Town();
  const back = await certified(town, "back", tlsOf({ ca, ...server }));
  const echo = provideEcho(back);
  const careful = await certified(town, "careful", tlsOf({ ca: foreignCa, ...client }));
  await assert.rejects(echo(careful).say({ text: "hi" }), {
    code: "MESH_PEER_REFUSED",
    message: /self.signed|unable to verify|certificate/i,
  });
  await careful.mesh.close();
  await back.mesh.close();
});

test(
  "where certificates are of the called alone, the secret proves who calls",
  { skip },
  async () => {
    const { ca, server, foreignClient } = await (making ??= createTestCertificates());
    const town = new Town();
    const back = await openTownNode(town, "back", {
      tls: { ...tlsOf({ ca, ...server }), mutual: false },
    });
    const echo = provideEcho(back);
    // Nobody there would trust its certificate, and nobody asks for it.
    const tls = { ...tlsOf({ ca, ...foreignClient }), mutual: false };
    const front = await openTownNode(town, "front", { tls });
    assert.deepEqual(await echo(front).say({ text: "hi" }), { text: "hi" });
    const stranger = await openTownNode(town, "stranger", { tls, secret: "another one".repeat(4) });
    await assert.rejects(echo(stranger).say({ text: "hi" }), { code: "MESH_PEER_REFUSED" });
    for (const node of [stranger, front, back]) await node.mesh.close();
  },
);

test("certificates are changed for connections from then on", { skip }, async () => {
  const { ca, foreignCa, server, client } = await (making ??= createTestCertificates());
  const town = new Town();
  const back = await certified(town, "back", tlsOf({ ca: foreignCa, ...server }));
  const echo = provideEcho(back);
  const tls = tlsOf({ ca, ...client });
  const early = await certified(town, "early", tls);
  await assert.rejects(echo(early).say({ text: "hi" }), { code: "MESH_PEER_REFUSED" });
  back.peers.renewTls(tlsOf({ ca, ...server }));
  const front = await certified(town, "front", tls);
  assert.deepEqual(await echo(front).say({ text: "hi" }), { text: "hi" });
  back.peers.renewTls(tlsOf({ ca: foreignCa, ...server }));
  assert.deepEqual(await echo(front).say({ text: "still" }), { text: "still" });
  for (const node of [early, front, back]) await node.mesh.close();
});

test("who connects and does not encrypt is hung up on in the end", { skip }, async () => {
  const { ca, server, client } = await (making ??= createTestCertificates());
  const town = new Town();
  const back = await certified(town, "back", tlsOf({ ca, ...server }));
  const echo = provideEcho(back);
  const { socket, ended } = dial(town.records.get("back")?.port ?? 0);
  const begunMs = performance.now();
  await ended;
  assert(performance.now() - begunMs < 30_000);
  socket.destroy();
  const front = await certified(town, "front", tlsOf({ ca, ...client }));
  assert.deepEqual(await echo(front).say({ text: "hi" }), { text: "hi" });
  await front.mesh.close();
  await back.mesh.close();
});

test("those who do not encrypt shut out nobody, and hold up no close", { skip }, async () => {
  const { ca, server, client } = await (making ??= createTestCertificates());
  const town = new Town();
  const back = await certified(town, "back", tlsOf({ ca, ...server }));
  const echo = provideEcho(back);
  const port = town.records.get("back")?.port ?? 0;
  const crowd = Array.from({ length: 150 }, () => dial(port));
  await Promise.race(crowd.map(({ ended }) => ended));
  const front = await certified(town, "front", tlsOf({ ca, ...client }));
  assert.deepEqual(await echo(front).say({ text: "hi" }), { text: "hi" });
  await front.mesh.close();
  await back.mesh.close();
  await Promise.all(crowd.map(({ ended }) => ended));
});
