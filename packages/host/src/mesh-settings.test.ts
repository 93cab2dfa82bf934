/** Each setting of the section `mesh`, by what it does to a node among others. */

import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { test } from "node:test";
import { isBanyanError } from "@banyan/kernel";
import {
  createTestCertificates,
  findReasonToSkip,
  freePort,
  openTcpProxy,
  opensslPrograms,
  temporaryDirectory,
} from "@banyan/testbed";
import type { CertificatePair } from "@banyan/testbed";
import type { Node } from "./node.ts";
import { openBed, secret, untilSo, urlOf } from "./sample-fleet.test.ts";
import { defineSample, eventually, request, sample, sampleProbe } from "./sample-node.test.ts";

const skip = await findReasonToSkip(opensslPrograms);

/** What one of a node's gauges says. */
async function gaugeOf(node: Node, name: string): Promise<number> {
  const { text } = await request(urlOf(node), "/metrics");
  const [, value] = new RegExp(`^${name} (\\d+)$`, "m").exec(text) ?? [];
  return Number(value);
}

test("The settings host, port, advertiseHost, advertisePort: where it is", async () => {
  await using bed = openBed();
  const port = await freePort();
  await using proxy = await openTcpProxy({ to: { host: "127.0.0.1", port } });
  const own = { "/mesh/host": "127.0.0.1", "/mesh/port": port };
  const told = { "/mesh/advertiseHost": "localhost", "/mesh/advertisePort": proxy.port };
  const back = await bed.open("b", [defineSample()], { ...own, ...told });
  assert.deepEqual(back.fleet?.address, { host: "localhost", port: proxy.port });
  const front = await bed.open("a", []);
  await front.client(sample).ping({});
  assert(proxy.bytesToServer > 0, "it was reached where it said that it is");
  await assert.rejects(bed.open("c", [], own), (error) =>
    isBanyanError(error, "MESH_LISTEN_FAILED"),
  );
});

test("The setting heartbeatMs: how often a node renews its record", async () => {
  await using bed = openBed();
  await bed.open("slow", [], { "/mesh/heartbeatMs": 60_000 });
  await bed.open("quick", [], { "/mesh/heartbeatMs": 100 });
  const registry = await bed.registry();
  const renewals = { slow: new Set<unknown>(), quick: new Set<unknown>() };
  await untilSo(async () => {
    for (const record of await registry.list()) {
      const { node, renewedAtMs }: { node?: unknown; renewedAtMs?: unknown } = Object(record);
      if (node === "slow" || node === "quick") renewals[node].add(renewedAtMs);
    }
    return renewals.quick.size > 4;
  });
  assert.equal(renewals.slow.size, 1);
});

test("The setting callsMax: one call more of the same node is refused by name", async () => {
  await using bed = openBed();
  const probe = sampleProbe();
  await bed.open("b", [defineSample(probe)], { "/mesh/callsMax": 2 });
  const client = (await bed.open("a", [])).client(sample);
  const running = [client.hang({}), client.hang({})];
  await eventually(() => probe.calls.length === 2);
  await assert.rejects(client.hang({}), (error) => {
    assert(isBanyanError(error, "CALL_LIMIT_REACHED"));
    return error.message.includes("mesh.callsMax");
  });
  probe.release();
  await Promise.all(running);
});

test("The setting messageBytesMax: what is longer is refused unsent", async () => {
  await using bed = openBed();
  await bed.open("b", [defineSample()]);
  const node = await bed.open("a", [], { "/mesh/messageBytesMax": 65_536 });
  const client = node.client(sample);
  await client.keep({ value: "x".repeat(60_000) });
  const long = client.keep({ value: "x".repeat(70_000) });
  await assert.rejects(long, (error) => isBanyanError(error, "MESH_MESSAGE_TOO_LONG"));
});

test("The setting streamAhead: so many frames are made before they are asked for", async () => {
  await using bed = openBed();
  const probe = sampleProbe();
  await bed.open("b", [defineSample(probe)]);
  for (const streamAhead of [0, 8]) {
    const node = await bed.open(`a${streamAhead}`, [], { "/mesh/streamAhead": streamAhead });
    const client = node.client(sample);
    probe.framesMade = 0;
    const frames = client.count({ to: 100 })[Symbol.asyncIterator]();
    await frames.next();
    await eventually(() => probe.framesMade >= Math.max(1, streamAhead));
    await client.ping({}); // whatever came before it is there by now
    assert(probe.framesMade <= streamAhead + 1, `${probe.framesMade}`);
    await frames.return?.();
  }
});

test("The setting inProcess: false has a node call even itself over the wire", async () => {
  for (const inProcess of [true, false]) {
    // There is nobody else to be connected to.
    await using bed = openBed();
    const node = await bed.open("a", [defineSample()], { "/mesh/inProcess": inProcess });
    await node.client(sample).ping({});
    const connections = await gaugeOf(node, "banyan_mesh_connections");
    assert.equal(connections > 0, !inProcess);
  }
});

test("The setting acceptedSecret: a secret is changed node by node", async () => {
  const [old, fresh] = [secret, secret.toUpperCase()];
  const step = (own: string, accepted: string | undefined) => ({
    "/mesh/secret": own,
    "/mesh/acceptedSecret": accepted,
  });
  // Each pair runs side by side at some moment of the change, whoever comes first.
  const pairs = [
    [step(old, undefined), step(old, fresh)],
    [step(old, fresh), step(fresh, old)],
    [step(fresh, old), step(fresh, undefined)],
  ] as const;
  for (const [before, later] of pairs) {
    for (const [first, second] of [[before, later] as const, [later, before] as const]) {
      await using bed = openBed();
      await bed.open("b", [defineSample()], first);
      await (await bed.open("a", [], second)).client(sample).ping({});
    }
  }
  await using bed = openBed();
  await bed.open("b", [defineSample()], step(old, undefined));
  await assert.rejects(bed.open("a", [], step(fresh, old)), (error) =>
    isBanyanError(error, "MESH_PEER_REFUSED"),
  );
  await assert.rejects(bed.open("c", [], step(fresh, "short")), /acceptedSecret/);
});

test(
  "The setting tls: certificates of one authority prove it instead of a secret",
  { skip },
  async () => {
    await using certificates = await createTestCertificates();
    const { ca, server, client, foreignClient } = certificates;
    const tlsOf = ({ certificate, key }: CertificatePair) => ({
      "/mesh/secret": undefined,
      "/mesh/tls": { certFile: certificate, keyFile: key, caFile: ca, serverName: "localhost" },
    });
    await using bed = openBed();
    await bed.open("b", [defineSample()], tlsOf(server));
    const node = await bed.open("a", [], tlsOf(client));
    await node.client(sample).ping({});
    await assert.rejects(bed.open("c", [], tlsOf(foreignClient)), (error) =>
      isBanyanError(error, "MESH_PEER_REFUSED"),
    );
  },
);

test("The setting tls: its files are read again when they change", { skip }, async () => {
  await using certificates = await createTestCertificates();
  await using folder = await temporaryDirectory("mesh-tls");
  const { ca, foreignCa, server, client } = certificates;
  const tlsOf = (files: { certFile: string; keyFile: string; caFile: string }) => ({
    "/mesh/secret": undefined,
    "/mesh/tls": { ...files, serverName: "localhost" },
  });
  const files = { certFile: server.certificate, keyFile: server.key };
  const caFile = folder.join("ca.pem");
  copyFileSync(foreignCa, caFile);
  await using bed = openBed();
  await bed.open("b", [defineSample()], tlsOf({ ...files, caFile }));
  const own = tlsOf({ certFile: client.certificate, keyFile: client.key, caFile: ca });
  await assert.rejects(bed.open("a", [], own), (error) =>
    isBanyanError(error, "MESH_PEER_REFUSED"),
  );
  copyFileSync(ca, caFile);
  await untilSo(async () => {
    const node = await bed.open("c", [], own).catch(() => undefined);
    await node?.client(sample).ping({});
    return node !== undefined;
  });
});

test(
  "The setting tls/mutual: where it is false, mesh.secret proves who calls",
  { skip },
  async () => {
    await using certificates = await createTestCertificates();
    const { ca, server, foreignClient } = certificates;
    const tlsOf = ({ certificate, key }: CertificatePair) => ({
      "/mesh/tls": {
        certFile: certificate,
        keyFile: key,
        caFile: ca,
        serverName: "localhost",
        mutual: false,
      },
    });
    await using bed = openBed();
    await bed.open("b", [defineSample()], tlsOf(server));
    const node = await bed.open("a", [], tlsOf(foreignClient));
    await node.client(sample).ping({});
    const without = { ...tlsOf(foreignClient), "/mesh/secret": undefined };
    await assert.rejects(bed.open("c", [], without), /BANYAN_MESH_SECRET/);
  },
);
